// SPDX-License-Identifier: GPL-2.0-only
/*
 * An administrator's file that has asked to be told what happens: read(2) and poll(2). Records go
 * out in the size that the reader knows, process ids as its pid namespace has them. A process that
 * has ended has none any more, but in the namespace that all processes are in.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "base/base.h"
#include "entry.h"
#include "path/path.h"

#define BATCH 4 /* records on the stack */

struct watch {
	struct eh_reader *reader;
	u32 size;
};

static void watch_free(struct watch *watch)
{
	eh_stream_close(watch->reader);
	kfree(watch);
}

/* ELISA_HOST_IOC_WATCH. A file is told of one set of kinds, for as long as it is open. */
long eh_events_watch(struct file *file, const void __user *arg)
{
	struct elisa_host_watch in;
	struct watch *watch;
	long r;

	if (copy_from_user(&in, arg, sizeof(in)))
		return -EFAULT;
	if (!in.kinds || (in.kinds & ~ELISA_HOST_EVENT_KINDS) || !in.size || in.size % 8 ||
	    in.size > ELISA_HOST_RECORD_MAX || (in.flags & ~ELISA_HOST_ANSWERS) || in.pad)
		return -EINVAL;
	if ((in.flags & ELISA_HOST_ANSWERS) && !(in.kinds & 1u << ELISA_HOST_EVENT_UNKNOWN))
		return -EINVAL;
	watch = kzalloc(sizeof(*watch), GFP_KERNEL_ACCOUNT);
	if (!watch)
		return -ENOMEM;
	watch->size = in.size;
	watch->reader = eh_stream_open(in.kinds, in.flags & ELISA_HOST_ANSWERS);
	if (IS_ERR(watch->reader)) {
		r = PTR_ERR(watch->reader);
		kfree(watch);
		return r;
	}
	if (!cmpxchg(&file->private_data, NULL, watch))
		return 0;
	watch_free(watch);
	return -EEXIST;
}

/* As the reader sees the process that is @pid for the whole system; 0: not at all. */
static pid_t pid_for_reader(pid_t pid)
{
	struct pid_namespace *namespace = task_active_pid_ns(current);

	if (namespace == &init_pid_ns)
		return pid;
	rcu_read_lock();
	pid = pid_nr_ns(find_pid_ns(pid, &init_pid_ns), namespace);
	rcu_read_unlock();
	return pid;
}

static bool give(u8 __user *to, u32 size, struct elisa_host_event *event)
{
	const u32 both = min_t(u32, size, sizeof(*event));

	event->pid = pid_for_reader(event->pid);
	return !copy_to_user(to, event, both) && !clear_user(to + both, size - both);
}

static ssize_t give_all(struct watch *watch, u8 __user *to, size_t room)
{
	struct elisa_host_event events[BATCH];
	size_t done = 0;
	u32 i, n;

	while (done < room) {
		n = eh_stream_take(watch->reader, events, min_t(size_t, room - done, BATCH));
		for (i = 0; i < n; i++, done++)
			if (!give(to + done * watch->size, watch->size, &events[i])) {
				eh_stream_lose(watch->reader, n - i);
				return done ? (ssize_t)(done * watch->size) : -EFAULT;
			}
		if (n < BATCH)
			break;
	}
	return (ssize_t)(done * watch->size);
}

/* Whole records; waits for the first one, unless the file is O_NONBLOCK. */
ssize_t eh_events_read(struct file *file, char __user *buffer, size_t size, loff_t *pos)
{
	struct watch *watch = READ_ONCE(file->private_data);
	ssize_t r;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!watch || size < watch->size)
		return -EINVAL;
	for (;;) {
		r = give_all(watch, (u8 __user *)buffer, size / watch->size);
		if (r)
			return r;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		r = wait_event_interruptible(*eh_stream_wait(watch->reader),
					     eh_stream_has(watch->reader));
		if (r)
			return r;
	}
}

__poll_t eh_events_poll(struct file *file, poll_table *wait)
{
	struct watch *watch = READ_ONCE(file->private_data);

	if (!watch)
		return EPOLLERR;
	poll_wait(file, eh_stream_wait(watch->reader), wait);
	return eh_stream_has(watch->reader) ? EPOLLIN | EPOLLRDNORM : 0;
}

void eh_events_release(struct file *file)
{
	struct watch *watch = file->private_data;

	if (watch)
		watch_free(watch);
}
