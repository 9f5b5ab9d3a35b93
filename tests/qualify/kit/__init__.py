# SPDX-License-Identifier: BSD-2-Clause
"""The parts of scripts/qualify: what runs on a ConnectX to find out whether rawnet works on it, and how fast."""
