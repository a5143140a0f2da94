/* Which addresses outgoing requests may be sent to. Whoever sets a webhook's URL
 * chooses where this server connects to, so addresses that are not public are
 * refused unless the operator allows them (`outgoing.allow`): a tenant must not
 * reach the operator's network, this machine or a cloud's metadata service
 * through us.
 *
 * The address that is really connected to is what is asked about, not a name:
 * what a name resolves to may differ from one look-up to the next (DNS
 * rebinding). Pure; any thread. */
#ifndef CONFAB_BRIDGE_OUTGOING_ADDRESS_POLICY_H
#define CONFAB_BRIDGE_OUTGOING_ADDRESS_POLICY_H

#include <sys/socket.h>

#include "base/cidr.h"

struct address_policy {
    struct cidr_list allow; /* exceptions: allowed although not public */
};

/* NULL: may be connected to. Otherwise what kind of address it is, as a static
 * text for an error: "a private address", "the metadata service of a cloud".
 * IPv4 inside an IPv6 address (mapped, NAT64, 6to4) is judged as that IPv4
 * address. Public is what IANA's special-purpose registries (RFC 6890) call
 * globally reachable; of IPv6 nothing outside of 2000::/3. Any family but IPv4 and
 * IPv6 is refused. */
const char *address_refusal(const struct address_policy *policy,
                            const struct sockaddr *address);

#endif
