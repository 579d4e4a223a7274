// SPDX-License-Identifier: GPL-2.0-or-later
/* Arms that nobody asked to compare: the baseline once more, and the baseline laid out otherwise.
 */
#include "matrix_parts.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Functions start at multiples of 16 bytes unless told, on x86 with gcc. */
#define DEFAULT_LAYOUT 64
#define MAX_LAYOUT 4096

static struct arm *add_twin(struct schema *s, const yaml_node_t *node, struct matrix *m,
	enum arm_role role, const char *suffix)
{
	__free_char char *label = xasprintf("%s-%s", m->baseline, suffix);
	struct arm *twin;

	if (matrix_arm(m, label)) {
		schema_error(
			s, node, "this makes an arm '%s', and there is one; rename that", label);
		return NULL;
	}
	m->arms = xrealloc_array(m->arms, m->narms + 1, sizeof(*m->arms));
	twin = &m->arms[m->narms];
	arm_copy(twin, matrix_arm(m, m->baseline), label);
	free(twin->place);
	twin->place = schema_place(s, node);
	twin->role = role;
	m->narms++;
	return twin;
}

static bool is_word(const yaml_node_t *node, const char *word)
{
	return node->type == YAML_SCALAR_NODE &&
	       !strcmp((const char *)node->data.scalar.value, word);
}

static int add_glob(struct schema *s, yaml_node_t *key, yaml_node_t *item, void *arg)
{
	const char *text = schema_text(s, item, "true, false or globs of cells, such as 'pipe*'");
	struct arm *twin = arg;

	(void)key;
	if (!text)
		return -1;
	twin->only = xrealloc_array(twin->only, twin->nonly + 1, sizeof(*twin->only));
	twin->only[twin->nonly++] = xstrdup(text);
	return 0;
}

int matrix_read_aa(struct schema *s, yaml_node_t *node, struct matrix *m)
{
	struct arm *twin;

	if (!node || is_word(node, "false"))
		return 0;
	twin = add_twin(s, node, m, ARM_CONTROL, "again");
	if (!twin)
		return -1;
	return is_word(node, "true") ? 0 : schema_items(s, node, "cells", add_glob, twin);
}

int matrix_read_layout(struct schema *s, yaml_node_t *node, struct matrix *m)
{
	const struct schema_key bounds = {.min = 1, .max = MAX_LAYOUT};
	unsigned align = DEFAULT_LAYOUT;
	struct arm *twin;

	if (!node || is_word(node, "false"))
		return 0;
	if (!is_word(node, "true") && schema_unsigned(s, node, &bounds, &align))
		return -1;
	if (align & (align - 1))
		return schema_error(s, node,
			"expected true or an alignment that is a power of two, found %u", align);
	if (m->executor == EXECUTOR_LOCAL)
		return schema_error(s, node,
			"a layout arm is a kernel of its own, but the executor "
			"local measures the running one");
	if (align == matrix_arm(m, m->baseline)->align)
		return schema_error(s, node,
			"the baseline is aligned to %u itself; expected another alignment", align);
	twin = add_twin(s, node, m, ARM_LAYOUT, "layout");
	if (!twin)
		return -1;
	twin->align = align;
	return 0;
}
