/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Barriers between the CPU and a device that reads and writes the same memory, named by what they
 * are for. Each use says which store or load stands before and which behind.
 *
 *   rn_dma_read    owner bit of a completion → its other bytes
 *   rn_dma_write   what the device will fetch (WQEs) → the doorbell record that makes it fetch
 *   rn_mmio_write  doorbell record → doorbell register, which may be mapped write-combining
 *   rn_mmio_flush  doorbell register → any later store to a register: pushes the store out of the
 *                  write-combining buffer, and keeps two doorbells from becoming one
 *
 * x86-64 keeps loads in order and stores in order for write-back memory (Intel SDM vol. 3, 9.2.2),
 * so the first two only bind the compiler; write-combining stores are weakly ordered, hence sfence.
 * arm64 orders nothing by itself: dmb for memory that both see (outer shareable, since a device is
 * no inner one), dsb before and after device memory. rdma-core's util/udma_barrier.h makes the same
 * choices, but for a stronger dsb in place of dmb.
 */
#ifndef RN_MLX5_BARRIER_H
#define RN_MLX5_BARRIER_H

#if defined(__x86_64__)
#define RN_BARRIER(instruction) __asm__ volatile(instruction ::: "memory")
#define rn_dma_read()		RN_BARRIER("")
#define rn_dma_write()		RN_BARRIER("")
#define rn_mmio_write()		RN_BARRIER("sfence")
#define rn_mmio_flush()		RN_BARRIER("sfence")
#elif defined(__aarch64__)
#define RN_BARRIER(instruction) __asm__ volatile(instruction ::: "memory")
#define rn_dma_read()		RN_BARRIER("dmb oshld")
#define rn_dma_write()		RN_BARRIER("dmb oshst")
#define rn_mmio_write()		RN_BARRIER("dsb st")
#define rn_mmio_flush()		RN_BARRIER("dsb st")
#else
#error "the mlx5 backend knows the barriers of x86-64 and arm64 only"
#endif

#endif
