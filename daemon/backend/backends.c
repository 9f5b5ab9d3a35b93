/* SPDX-License-Identifier: BSD-2-Clause */
/* The backends that "auto" tries, in this order (design: the NIC's own first). */
#include "backend.h"

const struct rn_backend *const rn_backends[] = {
	&rn_backend_mlx5,
	&rn_backend_verbs,
	&rn_backend_xdp,
	NULL,
};
