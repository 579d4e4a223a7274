// SPDX-License-Identifier: GPL-2.0
/* Lines for patches to change. */
int map_pages(int n);
int unmap_pages(int n);

int first = 1;

int map_pages(int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++)
		sum += i;
	return sum;
}

int second = 2;

int unmap_pages(int n)
{
	return n - second;
}

int last = 9;
