/** What each route does: one call of the contract each. */
import type { z } from "zod";
import { journalPage, type RouteName, type Routes } from "../client/api.ts";
import type { FactoryClient } from "../client/contract.ts";

export interface Input<Name extends RouteName> {
  readonly params: z.output<Routes[Name]["params"]>;
  readonly query: z.output<Routes[Name]["query"]>;
  readonly body: z.output<Routes[Name]["body"]>;
}

export const answers: { readonly [Name in RouteName]: (client: FactoryClient, input: Input<Name>) => Promise<unknown> } = {
  describe: (client) => client.describe(),
  status: (client) => client.status(),
  stop: async (client, { body }) => {
    await client.stop(body);
    return {};
  },
  drain: (client) => client.drain(),
  sync: (client) => client.sync(),
  provider: (client) => client.provider(),
  chooseProvider: (client, { body }) => client.chooseProvider(body.adapter),
  tree: (client) => client.tree(),
  items: (client) => client.items(),
  item: (client, { params }) => client.item(params.id),
  submit: async (client, { body }) => ({ id: await client.submit(body) }),
  command: (client, { params, body }) => client.command(params.id, body),
  evidence: (client, { params }) => client.evidence(params.id),
  checkpoints: (client, { params }) => client.checkpoints(params.id),
  restore: async (client, { params, body }) => ({ directory: await client.restore(params.id, body.ref, body.to) }),
  diff: (client, { params }) => client.diff(params.id),
  undo: (client, { params, body }) => client.undo(params.id, body),
  receipt: (client, { params }) => client.receipt(params.id),
  journal: (client, { query }) => client.journal({ ...query, limit: query.limit ?? journalPage }),
  spend: (client, { query }) => client.spend(query),
  teams: (client) => client.teams(),
  team: (client, { params, body }) => client.team(params.name, body),
  sessions: (client) => client.sessions(),
  session: (client, { body }) => client.session(body),
  stopCheck: (client, { body }) => client.stopCheck(body),
  terminals: (client) => client.terminals(),
  attachment: (client, { body }) => client.attachment(body.address, { write: body.write }),
  message: (client, { body }) => client.message(body.address, body.text, { interrupt: body.interrupt }),
  actors: (client) => client.actors(),
  actor: (client, { query }) => client.actor(query.address),
};
