/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Libraries with devices in C#: loading them, and what QEMU does for all of
 * them.  Nothing in here knows what a library's devices are.
 */
#ifndef HW_DOTNET_HOST_H
#define HW_DOTNET_HOST_H

#include "qapi/error.h"
#include "dotnet_host_abi.h"

/* One for each file that is loaded; never freed */
typedef struct DotnetLibrary DotnetLibrary;

struct DotnetLibrary {
    DotnetLibrary *next;
    void *handle;               /* of dlopen() */
    char *path;
    struct dotnet_host host;
    const struct dotnet_api *api;   /* NULL: could not be started */
    GHashTable *timers;         /* by object */
    GHashTable *lanes;          /* by number */
};

/**
 * dotnet_library_load:
 * @file: a path, or a name without slash: of a file beside the QEMU binary,
 *        else of one that the dynamic linker finds
 *
 * A file that is loaded already is not loaded again, whatever it was called.
 */
DotnetLibrary *dotnet_library_load(const char *file, Error **errp);

/**
 * dotnet_library_interface:
 * @host: QEMU's table, which the library keeps
 * @api_size: of the library's table
 *
 * Returns: the library's table of the interface @name; NULL when it has no
 * such interface, or another version of it.
 */
const void *dotnet_library_interface(DotnetLibrary *library, const char *name,
                                     uint32_t version, const void *host,
                                     uint32_t api_size, Error **errp);

/* Turn a library's error into QEMU's */
void dotnet_error_set(Error **errp, const struct dotnet_error *err);
/* And back: @local is freed */
int dotnet_error_get(struct dotnet_error *err, Error *local);

/* dotnet-closer.c: close_later() and unclosed() of dotnet_host */
bool dotnet_closer_start(Error **errp);
GHashTable *dotnet_closer_lanes(void);
void dotnet_close_later(void *library, uint64_t lane, int32_t fd);
uint32_t dotnet_unclosed(void *library, uint64_t lane);

#endif /* HW_DOTNET_HOST_H */
