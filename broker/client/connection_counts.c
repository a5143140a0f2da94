#include "broker/client/connection_counts.h"

#include "base/net/connection_budget.h"
#include "broker/client/connection.h"
#include "broker/client/hub.h"

void connection_counts_identified(struct hub *hub, struct connection *c)
{
    if (c->has_address)
        client_addresses_give(hub->strangers, &c->client_address);
    c->has_address = false;
    if (c->is_unidentified)
        atomic_fetch_sub(&hub->unidentified, 1);
    c->is_unidentified = false;
}

void connection_counts_closed(struct hub *hub, struct connection *c)
{
    connection_counts_identified(hub, c);
    atomic_fetch_sub(&hub->connections, 1);
    if (c->has_place)
        connection_budget_give(hub->budget);
}
