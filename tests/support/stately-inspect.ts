/** The real `@statelyai/inspect`, its server and its receiver. It is no dependency: nothing of ours needs it to run, and it brings many. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { fetched, PackageMissing } from "./fetched.ts";

export interface StatelyInspect {
  readonly createInspectorServer: (options: { readonly port: number; readonly autoOpen: boolean }) => { readonly stop: () => void };
  readonly createWebSocketReceiver: (options: { readonly server: string }) => { readonly subscribe: (next: (message: unknown) => void) => { readonly unsubscribe: () => void } };
}

const file = (directory: string, name: string): string => join(directory, "node_modules", "@statelyai", "inspect", "dist", name);

/** `undefined`: it is not in the cache, and the registry does not give it. */
export const fetchStatelyInspect = async (): Promise<StatelyInspect | undefined> => {
  try {
    const directory = await fetched("packages", { package: "@statelyai/inspect", version: "0.7.2", works: async (at) => existsSync(file(at, "server.mjs")) });
    const [index, server] = await Promise.all(["index.mjs", "server.mjs"].map((name) => import(pathToFileURL(file(directory, name)).href)));
    return { createInspectorServer: server.createInspectorServer, createWebSocketReceiver: index.createWebSocketReceiver };
  } catch (error) {
    if (error instanceof PackageMissing) return undefined;
    throw error;
  }
};
