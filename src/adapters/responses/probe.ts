import { Effect } from "effect";
import type { AdapterProbe, HostEnvironment } from "../../ports/adapter.ts";
import { providerIn } from "./environment.ts";

const mend = "export ENACT_GATEWAY_BASE_URL=https://… ENACT_GATEWAY_API_KEY=…";

/** Is a provider named, and a key there? Whether the key is good only a request would tell, and that may cost money. */
export const responsesProbe = (host: HostEnvironment): Effect.Effect<AdapterProbe> => Effect.sync((): AdapterProbe => {
  const { baseUrl, key } = providerIn(host);
  if (baseUrl === undefined) return { ok: false, detail: "no provider is named: neither ENACT_RESPONSES_BASE_URL nor ENACT_GATEWAY_BASE_URL is set", mend };
  const address = URL.parse(baseUrl);
  if (address === null || !/^https?:$/.test(address.protocol)) return { ok: false, detail: "the address of the provider is no http or https URL", mend };
  if (key === undefined) return { ok: false, detail: `built in; ${address.host}, but no key: neither ENACT_RESPONSES_API_KEY nor ENACT_GATEWAY_API_KEY is set`, mend };
  return { ok: true, detail: `built in; ${address.host}, with a key that was not tried` };
});
