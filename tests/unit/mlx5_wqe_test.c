/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Encoders of work requests and doorbells against bytes written by hand from the manual's tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/mlx5/doorbell.h"
#include "backend/mlx5/wqe.h"

#define BLOCK _Alignas(64) uint8_t

static void a_send_by_pointer(void **state)
{
	static const uint8_t want[64] = {
		0x00, 0xff, 0xfe, 0x0a, /* opmod, index, opcode */
		0x12, 0x34, 0x56, 0x03, /* number of the queue, three segments */
		0x00, 0x00, 0x00, 0x08, /* completion */
		0x00, 0x00, 0x00, 0x00, /* */
		0x00, 0x00, 0x00, 0x00, /* */
		0xc0, 0x00, 0x00, 0x00, /* both checksums, no segment size */
		0x00, 0x00, 0x00, 0x00, /* */
		0x00, 0x00, 0x00, 0x00, /* nothing inline */
		0x00, 0x00, 0x05, 0xdc, /* 1500 bytes */
		0x00, 0x00, 0xab, 0xcd, /* key */
		0x00, 0x00, 0x7f, 0x01, 0x02, 0x03, 0x04, 0x80 /* address */
	};
	BLOCK got[64] = {0};

	(void)state;
	rn_ctrl_put(got, RN_OP_SEND, 0xfffe, 0x123456, 3, RN_CE_ALWAYS);
	rn_eth_put(got + 16, RN_ETH_L3_CSUM | RN_ETH_L4_CSUM, 0, 0);
	rn_data_put(got + 32, 1500, htobe32(0xabcd), 0x7f0102030480);
	assert_memory_equal(got, want, sizeof(want));
}

static void a_completion_can_be_asked_for_later(void **state)
{
	BLOCK early[16] = {0}, late[16] = {0};

	(void)state;
	rn_ctrl_put(early, RN_OP_SEND, 7, 0x99, 4, RN_CE_ALWAYS);
	rn_ctrl_put(late, RN_OP_SEND, 7, 0x99, 4, RN_CE_ERROR);
	assert_int_equal(late[11], 0);
	rn_ctrl_signal(late);
	assert_memory_equal(early, late, 16);
}

static void headers_inline_begin_in_the_ethernet_segment(void **state)
{
	static const uint8_t want[16] = {0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x42, 0, 0};
	static const struct {
		uint32_t len, segs;
	} table[] = {{0, 2},  {1, 2},  {2, 2},	{3, 3},	 {18, 3}, {19, 4},
		     {34, 4}, {50, 5}, {66, 6}, {67, 7}, {82, 7}, {83, 8}};
	BLOCK got[16];

	(void)state;
	rn_eth_put(got, RN_ETH_L4_CSUM, 0, 66);
	assert_memory_equal(got, want, 16);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(rn_header_segs(table[i].len), table[i].segs);
}

static void a_tag_and_a_segment_size(void **state)
{
	static const uint8_t tag[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x00, 0xa0, 0x65};
	static const uint8_t tso[16] = {0, 0, 0, 0, 0xc0, 0, 0x05, 0xa8, 0, 0, 0, 0, 0x00, 0x36};
	BLOCK got[16];

	(void)state;
	rn_eth_put_tag(got, 0, 0xa065);
	assert_memory_equal(got, tag, 16);
	rn_eth_put(got, RN_ETH_L3_CSUM | RN_ETH_L4_CSUM, 1448, 54);
	assert_memory_equal(got, tso, 16);
}

static void a_multi_packet_send(void **state)
{
	static const uint8_t want[48] = {0x00, 0x00, 0x10, 0x29, /* index, opcode */
					 0x00, 0x00, 0x07, 0x08, /* eight segments */
					 0x00, 0x00, 0x00, 0x00, /* no completion */
					 0x00, 0x00, 0x00, 0x00, /* */
					 0x00, 0x00, 0x00, 0x00, /* ethernet segment: nothing */
					 0x00, 0x00, 0x00, 0x00, /* */
					 0x00, 0x00, 0x00, 0x00, /* */
					 0x00, 0x00, 0x00, 0x00, /* */
					 0x80, 0x00, 0x00, 0x3c, /* 60 bytes inline */
					 0xde, 0xad};
	BLOCK got[128] = {0};

	(void)state;
	rn_ctrl_put(got, RN_OP_EMPW, 0x10, 7, 8, RN_CE_ERROR);
	rn_eth_put(got + 16, 0, 0, 0);
	rn_data_put_inline(got + RN_EMPW_AT, 60);
	memcpy(got + RN_EMPW_AT + RN_SEG_INLINE_HEAD, "\xde\xad", 2);
	assert_memory_equal(got, want, sizeof(want));
	assert_int_equal(rn_inline_segs(60), 4);
	assert_int_equal(rn_inline_segs(61), 5);
	assert_int_equal(rn_inline_segs(12), 1);
	assert_int_equal(rn_inline_segs(13), 2);
}

static void blocks_of_segments(void **state)
{
	(void)state;
	assert_int_equal(rn_wqe_blocks(1), 1);
	assert_int_equal(rn_wqe_blocks(4), 1);
	assert_int_equal(rn_wqe_blocks(5), 2);
	assert_int_equal(rn_wqe_blocks(RN_WQE_DS_MAX), 15);
	assert_int_equal(RN_WQE_DS_MAX % RN_SEGS_BB, 0);
}

static void a_receive_request(void **state)
{
	static const uint8_t want[16] = {0, 0, 0x07, 0x80, 0, 0, 0x01, 0x00,
					 0, 0, 0x7f, 0xff, 0, 0, 0x10, 0x80};
	_Alignas(16) struct rn_data got;

	(void)state;
	rn_rx_wqe_prepare(&got, 1920, htobe32(0x100));
	rn_rx_wqe_post(&got, 0x7fff00001080);
	assert_memory_equal(&got, want, 16);
	assert_int_equal(rn_rx_wqe_addr(&got), 0x7fff00001080);
}

static void decoders_undo_encoders(void **state)
{
	BLOCK b[64];
	struct rn_ctrl_info c;
	struct rn_eth_info e;
	struct rn_data_info d;

	(void)state;
	rn_ctrl_put(b, RN_OP_TSO, 0xabcd, 0xfedcba, 60, RN_CE_ALWAYS);
	c = rn_ctrl_get(b);
	assert_int_equal(c.opcode, RN_OP_TSO);
	assert_int_equal(c.opmod, 0);
	assert_int_equal(c.index, 0xabcd);
	assert_int_equal(c.sqn, 0xfedcba);
	assert_int_equal(c.ds, 60);
	assert_int_equal(c.ce, RN_CE_ALWAYS);
	rn_eth_put(b, RN_ETH_L3_CSUM, 536, 74);
	e = rn_eth_get(b);
	assert_true(e.csum == RN_ETH_L3_CSUM && e.mss == 536 && e.inline_len == 74);
	assert_false(e.insert_tag);
	rn_eth_put_tag(b, 0, 0x3fff);
	e = rn_eth_get(b);
	assert_true(e.insert_tag && e.tci == 0x3fff && e.inline_len == 0);
	rn_data_put(b, 9000, htobe32(0xffffff), UINT64_MAX);
	d = rn_data_get(b);
	assert_true(!d.is_inline && d.len == 9000 && d.lkey == 0xffffff && d.addr == UINT64_MAX);
	rn_data_put_inline(b, 204);
	d = rn_data_get(b);
	assert_true(d.is_inline && d.len == 204 && d.addr == RN_SEG_INLINE_HEAD);
}

static void records_count_modulo_two_to_the_sixteenth(void **state)
{
	uint32_t record[2] = {0, 0};

	(void)state;
	rn_ring_rx(record, 0x1fffe);
	assert_memory_equal(record, "\0\0\xff\xfe\0\0\0\0", 8);
	rn_ring_rx(record, 0x20000);
	assert_memory_equal(record, "\0\0\0\0", 4);
}

static void a_doorbell_is_the_head_of_the_last_request(void **state)
{
	BLOCK wqe[16];
	uint32_t record[2] = {0, 0};
	uint64_t reg = 0;

	(void)state;
	rn_ctrl_put(wqe, RN_OP_SEND, 0xffff, 0x0a0b0c, 3, RN_CE_ERROR);
	rn_ring_tx(record, &reg, 0x10001, wqe);
	assert_memory_equal(record, "\0\0\0\0\0\0\0\1", 8);
	assert_memory_equal(&reg, "\x00\xff\xff\x0a\x0a\x0b\x0c\x03", 8);
}

static void arming_a_completion_queue(void **state)
{
	_Alignas(64) uint8_t page[64] = {0};
	uint32_t record[2] = {0, 0};

	(void)state;
	rn_arm(record, page, 6, 0x5abcdef, 0x00c0de);
	assert_memory_equal(record, "\0\0\0\0\x20\xab\xcd\xef", 8);
	assert_memory_equal(page + RN_ARM_REGISTER, "\x20\xab\xcd\xef\x00\x00\xc0\xde", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_send_by_pointer),
		cmocka_unit_test(a_completion_can_be_asked_for_later),
		cmocka_unit_test(headers_inline_begin_in_the_ethernet_segment),
		cmocka_unit_test(a_tag_and_a_segment_size),
		cmocka_unit_test(a_multi_packet_send),
		cmocka_unit_test(blocks_of_segments),
		cmocka_unit_test(a_receive_request),
		cmocka_unit_test(decoders_undo_encoders),
		cmocka_unit_test(records_count_modulo_two_to_the_sixteenth),
		cmocka_unit_test(a_doorbell_is_the_head_of_the_last_request),
		cmocka_unit_test(arming_a_completion_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
