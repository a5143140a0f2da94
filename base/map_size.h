/* Limits of `store.map_size`, in bytes. The whole file of a store is mapped
 * into the address space, which limits its size. */
#ifndef CONFAB_BASE_MAP_SIZE_H
#define CONFAB_BASE_MAP_SIZE_H

#include <stdint.h>

#if UINTPTR_MAX > UINT32_MAX
#define MAP_SIZE_DEFAULT (UINT64_C(16) << 30)
#define MAP_SIZE_MAX (UINT64_C(1) << 46) /* about what 47 address bits hold */
#else /* 2 or 3 GiB in all for the map, its reserve, and all memory */
#define MAP_SIZE_DEFAULT (UINT64_C(512) << 20)
#define MAP_SIZE_MAX (UINT64_C(1) << 30)
#endif

#endif
