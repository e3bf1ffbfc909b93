/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C <-> C# boundary, lower layer: what every library with devices has in
 * common, whatever its devices are (docs/adr/0033).
 *
 * The shim inside QEMU (native/dotnet-host.c) dlopens a library and calls its
 * only export, dotnet_get_api(), once.  Each side then has a table of the
 * other's functions.  What is for one kind of device is a second pair of
 * tables, an interface, which is found by its name: see get_interface.
 *
 * Rules, for this header and for those of the interfaces
 *  - Every call, in both directions, is made with QEMU's big lock (BQL) held,
 *    from any thread that holds it, unless a comment says otherwise.  The
 *    library starts no threads.
 *  - A "uint64_t object" names an object of the library; 0 is none.  Numbers
 *    are each library's own: the shim keeps which library it got one from.  A
 *    stale or made-up number is refused, never dereferenced.
 *  - A "void *" with the name of an object (library, server, device...) is an
 *    object of the shim.  It is valid from the call that introduced it until
 *    the matching destroy or detach call returns; a library for ever.
 *  - File descriptors stay the property of the side that opened or received
 *    them unless a comment says that they are handed over.
 *  - int results: 0 or a positive value is success, negative is -errno.  Where
 *    a function has an err argument, it is filled in on failure with one line
 *    of text, without a newline, that tells the user what to do.
 *  - The library never lets an exception out; the shim never longjmps through
 *    a frame of the library.
 *  - A table begins with its interface's version and its own size in bytes.
 *    Both must be equal on both sides: there is no compatibility in part.
 *  - Structs use fixed-width members, naturally aligned, without bit-fields
 *    and flexible arrays, so that any binding generator gets them right.
 *    AbiLayoutTests compares every size and offset.
 */
#ifndef DOTNET_HOST_ABI_H
#define DOTNET_HOST_ABI_H

#include <stdint.h>

/* Raised with every change of a struct, an enum value or a meaning in here */
#define DOTNET_HOST_ABI_VERSION 1u

/* The symbol that the shim looks up in a library */
#define DOTNET_GET_API_SYMBOL "dotnet_get_api"

#define DOTNET_ERROR_SIZE 512

/* One line for the user, NUL-terminated UTF-8 */
struct dotnet_error {
    char text[DOTNET_ERROR_SIZE];
};

/* The levels of dotnet_host.log */
enum dotnet_log_level {
    DOTNET_LOG_DEBUG = 0,       /* the trace event dotnet_log */
    DOTNET_LOG_INFO = 1,
    DOTNET_LOG_WARNING = 2,
    DOTNET_LOG_ERROR = 3,
};

/* What watch_fd waits for and fd_ready reports */
enum dotnet_fd_events {
    DOTNET_FD_NONE = 0,
    DOTNET_FD_READ = 1,
    DOTNET_FD_WRITE = 2,
};

/* What QEMU does for any library; each library gets a table of its own */
struct dotnet_host {
    uint32_t version;           /* DOTNET_HOST_ABI_VERSION */
    uint32_t size;              /* sizeof(struct dotnet_host) */

    /* First argument of what calls back, or counts */
    void *library;

    /* text is UTF-8, length bytes, one line without newline */
    void (*log)(uint32_t level, const char *text, uint32_t length);
    /*
     * Whether anybody would see a line of this level: what nobody sees need
     * not be formatted
     */
    uint32_t (*log_enabled)(uint32_t level);

    /*
     * Call dotnet_api.fd_ready(object, fd, events) from the main loop while fd
     * is ready; level-triggered.  DOTNET_FD_NONE stops it and must come before
     * fd is closed.
     */
    void (*watch_fd)(void *library, uint64_t object, int32_t fd,
                     uint32_t events);
    /* One shot after ms milliseconds of host time; again: re-arm; 0: cancel */
    void (*arm_timer)(void *library, uint64_t object, uint32_t ms);

    /*
     * Close fd, which is handed over, on a thread that may wait: what another
     * process has sent can make close() last as long as that likes.  Those of
     * one lane (any number) are closed one after the other and hold up no
     * other lane.  Both may be called without the BQL.
     */
    void (*close_later)(void *library, uint64_t lane, int32_t fd);
    /* How many of a lane's are not closed yet */
    uint32_t (*unclosed)(void *library, uint64_t lane);
};

/* What any library does for QEMU */
struct dotnet_api {
    uint32_t version;           /* DOTNET_HOST_ABI_VERSION */
    uint32_t size;              /* sizeof(struct dotnet_api) */

    void (*fd_ready)(uint64_t object, int32_t fd, uint32_t events);
    void (*timer_fired)(uint64_t object);

    /*
     * Exchange the tables of an interface: host is QEMU's, api becomes the
     * library's; both stay.  -ENOENT: the library has none with this name;
     * -EPROTO: it has one, and another version of it.
     */
    int (*get_interface)(const char *name, uint32_t version, const void *host,
                         const void **api, struct dotnet_error *err);
};

/*
 * A library's only export.  Fails with -EPROTO when version is not the
 * library's own, and then fills in err.
 */
typedef int (*dotnet_get_api_fn)(uint32_t version,
                                 const struct dotnet_host *host,
                                 const struct dotnet_api **api,
                                 struct dotnet_error *err);

#endif /* DOTNET_HOST_ABI_H */
