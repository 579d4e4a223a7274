// SPDX-License-Identifier: GPL-2.0-or-later
#include "executor.h"

const struct executor_ops *executor_find(enum executor_kind kind)
{
	static const struct executor_ops *const executors[] = {
		[EXECUTOR_VM] = &vm_executor,
		[EXECUTOR_EXACT] = &exact_executor,
		[EXECUTOR_LOCAL] = &local_executor,
	};

	return executors[kind];
}
