// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <second.h>

int main(void)
{
	puts(SECOND);
	return 0;
}
