export interface Cell { readonly adapter: string; readonly version: string; readonly fault: string; readonly what: string; readonly passes: boolean; readonly ends?: string; readonly tokens?: "told" | "unknown" | "none"; readonly absent?: string }

declare module "vitest" {
  interface TaskMeta { cell?: Cell }
}
