/** Which repositories on GitHub, and what of them is work for this factory. */
import type { SourceProject } from "../project-of.ts";

export interface GitHubSettings {
  /** `https://api.github.com`, or a server of one's own; without a slash at the end. */
  readonly url: string;
  readonly token: () => Promise<string | undefined>;
  readonly repos: readonly { readonly name: string; readonly project: string | undefined }[];
  readonly projects: readonly SourceProject[];
  /** All of these must be there. */
  readonly labels: readonly string[];
  /** `@me`, `*`, or a login. */
  readonly assignedTo: string;
  /** An issue is closed when its work is done. */
  readonly close: boolean;
}
