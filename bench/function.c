/* SPDX-License-Identifier: Apache-2.0 */
/* The least that an exported function can do. */
long entry_function(long what, long a1, long a2, long a3, long a4, long a5);

long entry_function(long what, long a1, long a2, long a3, long a4, long a5)
{
	(void)what, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	return 1;
}
