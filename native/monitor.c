/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * info vhost-pci and query-vhost-pci.  The library writes both; the schema in
 * qapi/vhost-pci.json decides what of its JSON is valid.
 */
#include "qemu/osdep.h"
#include "qapi/qapi-commands-vhost-pci.h"
#include "qapi/qapi-visit-vhost-pci.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qobject.h"
#include "qapi/qobject-input-visitor.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "vhost-pci.h"

/* NULL when the library is not loaded or fails */
static char *report(uint32_t format)
{
    const struct vhost_pci_api *api = vhost_pci_library_loaded();
    uint64_t size = 0;
    char *text = NULL;
    int64_t need;

    if (!api) {
        return NULL;
    }
    /* Nothing changes between two calls under the BQL but counters */
    for (int i = 0; i < 8; i++) {
        need = api->report(format, text, size);
        if (need < 0) {
            break;
        }
        if (text && need <= size) {
            text[need] = '\0';
            return text;
        }
        g_free(text);
        size = need + 256;
        text = g_malloc(size + 1);
    }
    g_free(text);
    return NULL;
}

VhostPciInfo *qmp_query_vhost_pci(Error **errp)
{
    g_autofree char *json = report(VHOST_PCI_REPORT_JSON);
    VhostPciInfo *info = NULL;
    QObject *obj;
    Visitor *v;

    if (!json) {
        return g_new0(VhostPciInfo, 1);
    }
    obj = qobject_from_json(json, errp);
    if (!obj) {
        return NULL;
    }
    v = qobject_input_visitor_new(obj);
    visit_type_VhostPciInfo(v, NULL, &info, errp);
    visit_free(v);
    qobject_unref(obj);
    if (info && info->runtime) {
        info->runtime->first_call_us = vhost_pci_library_load_us();
    }
    return info;
}

void hmp_info_vhost_pci(Monitor *mon, const QDict *qdict)
{
    g_autofree char *text = report(qdict_get_try_bool(qdict, "verbose", false) ?
                                   VHOST_PCI_REPORT_VERBOSE :
                                   VHOST_PCI_REPORT_TEXT);

    if (text) {
        monitor_puts(mon, text);
        monitor_printf(mon, "loaded in %" PRId64 " us, first call included\n",
                       vhost_pci_library_load_us());
    } else {
        monitor_printf(mon, "No vhost-pci servers or clients in this VM.\n");
    }
}
