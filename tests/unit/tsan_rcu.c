/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What liburcu orders, said to ThreadSanitizer, which does not see into the library: the linker
 * leads the calls here in the preset tsan.
 *
 *   - what was written before a pointer is published is seen by who dereferences it;
 *   - what readers did before a quiescent state comes before what follows a grace period, and what
 * was written before one begins is seen after the next quiescent state;
 *   - a hash table orders who adds and removes with who looks up.
 *
 * call_rcu runs its function at once after a grace period, in the caller: the library's own thread
 * would run it where ThreadSanitizer sees no grace period.
 */
#include <stdbool.h>
#include <urcu-qsbr.h>
#include <urcu/rculfhash.h>

void __tsan_acquire(void *at);
void __tsan_release(void *at);

static char readers, writers; /* that these are two places is all that matters */

#define WRAP(type, name, ...)            \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

WRAP(void *, rcu_set_pointer_sym, void **p, void *v)
{
	__tsan_release(v ? v : (void *)p);
	return __real_rcu_set_pointer_sym(p, v);
}

WRAP(void *, rcu_dereference_sym, void *p)
{
	if (p)
		__tsan_acquire(p);
	return __real_rcu_dereference_sym(p);
}

WRAP(void, urcu_qsbr_quiescent_state, void)
{
	__tsan_release(&readers);
	__real_urcu_qsbr_quiescent_state();
	__tsan_acquire(&writers);
}

WRAP(void, urcu_qsbr_thread_offline, void)
{
	__tsan_release(&readers);
	__real_urcu_qsbr_thread_offline();
}

WRAP(void, urcu_qsbr_thread_online, void)
{
	__real_urcu_qsbr_thread_online();
	__tsan_acquire(&writers);
}

WRAP(void, urcu_qsbr_register_thread, void)
{
	__real_urcu_qsbr_register_thread();
	__tsan_acquire(&writers);
}

WRAP(void, urcu_qsbr_unregister_thread, void)
{
	__tsan_release(&readers);
	__real_urcu_qsbr_unregister_thread();
}

WRAP(void, urcu_qsbr_synchronize_rcu, void)
{
	__tsan_release(&writers);
	__real_urcu_qsbr_synchronize_rcu();
	__tsan_acquire(&readers);
}

WRAP(void, urcu_qsbr_call_rcu, struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	__wrap_urcu_qsbr_synchronize_rcu();
	func(head);
}

WRAP(void, cds_lfht_add, struct cds_lfht *ht, unsigned long hash, struct cds_lfht_node *node)
{
	__tsan_release(ht);
	__real_cds_lfht_add(ht, hash, node);
}

WRAP(int, cds_lfht_del, struct cds_lfht *ht, struct cds_lfht_node *node)
{
	__tsan_release(ht);
	return __real_cds_lfht_del(ht, node);
}

WRAP(void, cds_lfht_lookup, struct cds_lfht *ht, unsigned long hash, cds_lfht_match_fct match,
     const void *key, struct cds_lfht_iter *iter)
{
	__tsan_acquire(ht);
	__real_cds_lfht_lookup(ht, hash, match, key, iter);
}
