/** Which Azure DevOps, and what of it is work for this factory. */
import type { Gate } from "../../domain/gate.ts";
import type { SourceProject } from "../project-of.ts";

export interface AzureSettings {
  /** `https://dev.azure.com`, or a server of one's own; without a slash at the end. */
  readonly url: string;
  readonly org: string;
  readonly project: string;
  readonly pat: string;
  readonly team: string;
  readonly projects: readonly SourceProject[];
  /** Project of items that nothing else gives one. */
  readonly defaultProject: string | undefined;
  /** Area paths of a project of ours; what lies below belongs to it too. */
  readonly areas: readonly { readonly path: string; readonly project: string }[];
  /** `@me`, `*`, or a person's name or address. */
  readonly assignedTo: string;
  /** Empty: all. */
  readonly types: readonly string[];
  readonly areaPath: string | undefined;
  readonly iterationPath: string | undefined;
  readonly states: { readonly open: readonly string[]; readonly done: string; readonly failed: string };
  readonly laneField: string | undefined;
  readonly gateFields: Partial<Readonly<Record<Gate, string | undefined>>>;
}
