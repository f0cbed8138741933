/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of callers: a life ends with an abort, an eviction, the attachment; whatever is told in
 * which order.
 */
#include "sub.h"

static struct sub_callers callers;
static struct elisa_caller me;

static struct elisa_self self(uint32_t place, uint32_t vcpu, uint64_t attachment, uint64_t aborts)
{
	return (struct elisa_self){
		.place = place, .vcpu = vcpu, .attachment = attachment, .aborts = aborts};
}

static uint64_t enter(struct elisa_self as)
{
	struct elisa_caller caller = {0};

	assert_int_equal(elisa_enter_as(&callers.table, &as, &caller), 0);
	assert_false(elisa_caller_dead(&callers.table, caller.name));
	return caller.name;
}

static void event(uint32_t type, uint64_t attachment, uint32_t vcpu, uint64_t aborts)
{
	const struct elisa_event e = {
		.type = type, .attachment = attachment, .vcpu = vcpu, .aborts = aborts};

	elisa_callers_event(&callers.table, &e);
}

static int dead(uint64_t name)
{
	return elisa_caller_dead(&callers.table, name);
}

static int make(void **state)
{
	(void)state;
	return elisa_callers_init(&callers.table, callers.record, PLACES, VCPUS);
}

static void numbers_are_checked(void **state)
{
	struct elisa_self as;

	(void)state;
	assert_int_equal(elisa_callers_init(&callers.table, callers.record, 0, 1), -EINVAL);
	assert_int_equal(elisa_callers_init(&callers.table, callers.record, 1u << 31, 1u << 31),
			 -EINVAL);
	assert_int_equal(elisa_callers_init(&callers.table, callers.record, ELISA_CALLERS_MAX + 1,
					    1),
			 -EINVAL);
	make(NULL);
	as = self(PLACES, 0, 1, 0);
	assert_int_equal(elisa_enter_as(&callers.table, &as, &me), -ENOENT);
	as = self(ELISA_NO_PLACE, 0, 1, 0);
	assert_int_equal(elisa_enter_as(&callers.table, &as, &me), -ENOENT);
	as = self(0, VCPUS, 1, 0);
	assert_int_equal(elisa_enter_as(&callers.table, &as, &me), -ERANGE);
	assert_false(dead(0));
	assert_false(dead(~0ull));
}

static void each_caller_has_its_own(void **state)
{
	uint64_t name[RECORDS];
	int n = 0;

	(void)state;
	for (uint32_t place = 0; place < PLACES; place++)
		for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
			name[n++] = enter(self(place, vcpu, place + 1, 0));
	elisa_enter_manager(&callers.table, &me);
	assert_int_equal(elisa_caller_index(&me), RECORDS - 1);
	name[n++] = me.name;
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			assert_int_not_equal(name[i], name[j]);
	assert_int_equal(enter(self(1, 1, 2, 0)), name[1 * VCPUS + 1]);
}

static void the_caller_itself_knows(void **state)
{
	const uint64_t first = enter(self(0, 0, 1, 0)), other = enter(self(0, 1, 1, 0));
	const uint64_t second = enter(self(0, 0, 1, 1));

	(void)state;
	assert_true(dead(first));
	assert_false(dead(other));
	/* what the manager hears later does not matter */
	event(ELISA_EVENT_ABORT, 1, 0, 1);
	assert_false(dead(second));
	event(ELISA_EVENT_ABORT, 1, 0, 0);
	assert_false(dead(second));
}

static void the_manager_knows(void **state)
{
	const uint64_t first = enter(self(0, 0, 1, 0)), other = enter(self(1, 0, 2, 0));

	(void)state;
	event(ELISA_EVENT_ABORT, 1, 1, 1); /* another vCPU */
	event(ELISA_EVENT_ABORT, 3, 0, 1); /* another attachment */
	event(ELISA_EVENT_ABORT, 1, 9, 1);
	event(ELISA_EVENT_MEMORY, 1, 0, 1);
	assert_false(dead(first));
	event(ELISA_EVENT_ABORT, 1, 0, 5); /* several were lost */
	assert_true(dead(first));
	assert_false(dead(other));
	event(ELISA_EVENT_DETACH, 2, 0, 0);
	assert_true(dead(other));
}

static void a_place_is_taken_again(void **state)
{
	const uint64_t old = enter(self(0, 0, 1, 7));
	const uint64_t new = enter(self(0, 0, 2, 7));

	(void)state;
	assert_true(dead(old));
	/* late news of the old one, of all kinds, are none of the new one */
	event(ELISA_EVENT_ABORT, 1, 0, 8);
	event(ELISA_EVENT_DETACH, 1, 0, 0);
	event(ELISA_EVENT_ATTACH, 1, 0, 0);
	assert_false(dead(new));
	/* the DETACH was lost: the next one at its place says so */
	elisa_callers_event(&callers.table, &(struct elisa_event){.type = ELISA_EVENT_ATTACH,
								  .attachment = 3,
								  .value = 0});
	assert_true(dead(new));
	elisa_callers_event(&callers.table, &(struct elisa_event){.type = ELISA_EVENT_ATTACH,
								  .attachment = 3,
								  .value = -1});
	elisa_callers_event(&callers.table, &(struct elisa_event){.type = ELISA_EVENT_ATTACH,
								  .attachment = 3,
								  .value = PLACES});
}

static void numbers_wrap(void **state)
{
	const uint64_t many = 1ull << 27;
	const uint64_t last = enter(self(0, 0, 1, many - 1)), first = enter(self(0, 0, 1, many));

	(void)state;
	assert_true(dead(last));
	assert_int_not_equal(first & 1, 1);
	event(ELISA_EVENT_ABORT, 1, 0, many - 1);
	assert_false(dead(first));
	event(ELISA_EVENT_ABORT, 1, 0, many + 1);
	assert_true(dead(first));
	/* an owner too many: the number of the caller stays what it is */
	for (uint64_t i = 0; i < (1u << 24) + 3; i++)
		enter(self(1, 1, i + 2, 0));
	assert_int_equal(enter(self(1, 1, 1, 0)) >> ELISA_NAME_NUMBER, 1 * VCPUS + 1 + 1);
}

/*
 * ------------------------------------------------------------- the number's owner changes, step by
 * step
 */

static struct elisa_self stepped;
static uint64_t old_name;

static void enter_stepped(void *context)
{
	(void)context;
	elisa_enter_as(&callers.table, &stepped, &me);
}

static void stopped(void *context, uint32_t n)
{
	uint64_t name;

	(void)context;
	(void)n;
	/*
	 * the manager hears all of it now: that the new one came, died, that the old one was gone
	 */
	event(ELISA_EVENT_DETACH, 1, 0, 0);
	assert_true(dead(old_name));
	event(ELISA_EVENT_ABORT, 2, 0, 1);
	stepped.aborts = 1;
	name = enter(stepped);
	stepped.aborts = 0;
	assert_true(dead(old_name));
	assert_false(dead(name));
}

static void late_news(void *context)
{
	(void)context;
	event(ELISA_EVENT_DETACH, 1, 0, 0);
	event(ELISA_EVENT_ABORT, 1, 0, 9);
}

/* The manager is in the middle of the old one's end when the new one comes. */
static void an_owner_comes_while_it_is_told(void **state)
{
	uint32_t n = 0;
	int reached;

	(void)state;
	stepped = self(0, 0, 2, 0);
	do {
		make(NULL);
		old_name = enter(self(0, 0, 1, 4));
		reached = elisa_step_once(late_news, ++n, enter_stepped, NULL);
		if (!reached)
			enter_stepped(NULL);
		assert_true(dead(old_name));
		assert_false(dead(me.name));
	} while (reached);
	assert_true(n > 20);
}

static void an_owner_comes_step_by_step(void **state)
{
	const struct elisa_step_memory memory = {&callers, sizeof(callers)};
	uint32_t n = 0;

	(void)state;
	old_name = enter(self(0, 0, 1, 4));
	stepped = self(0, 0, 2, 0);
	assert_true(elisa_step_each(enter_stepped, &memory, 1, stopped, NULL) > 20);
	do {
		make(NULL);
		old_name = enter(self(0, 0, 1, 4));
		if (elisa_step_once(enter_stepped, ++n, late_news, NULL) != 1)
			break;
		assert_true(dead(old_name));
		assert_false(dead(me.name));
	} while (n < 1000);
	assert_in_range(n, 20, 999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(numbers_are_checked, make),
		cmocka_unit_test_setup(each_caller_has_its_own, make),
		cmocka_unit_test_setup(the_caller_itself_knows, make),
		cmocka_unit_test_setup(the_manager_knows, make),
		cmocka_unit_test_setup(a_place_is_taken_again, make),
		cmocka_unit_test_setup(numbers_wrap, make),
		cmocka_unit_test_setup(an_owner_comes_step_by_step, make),
		cmocka_unit_test_setup(an_owner_comes_while_it_is_told, make),
	};

	return cmocka_run_group_tests_name("callers", tests, NULL, NULL);
}
