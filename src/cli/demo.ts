import type { Command } from "./context.ts";
export interface DemoOptions { readonly keep?: boolean; readonly adapter?: string }
export const demo: Command<DemoOptions> = async () => 1;
