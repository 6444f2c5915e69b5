/** A whole factory over a GitHub that runs on loopback, with the token of a gh that only this test has. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLocalTools } from "../../src/daemon/tools.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { readMark } from "../../src/sources/mark.ts";
import { gitHubFake } from "../fakes/github/server.ts";
import { putClaude } from "./fake-claude.ts";
import { guardMs, makeFactory, makePlace, quick } from "./fixture.ts";

const id = WorkItemId.parse("GH-1");

describe("issues of GitHub", { timeout: guardMs }, () => {
  test("INTRO-03 an open issue becomes an item, is worked on, told and closed, with the token that gh gives", async () => {
    const fake = await gitHubFake();
    const place = makePlace(`${quick.replace("scripted", "claude")}[sources.github]\nurl = "${fake.url}"\npollMs = 100\n[[sources.github.repos]]\nname = "octocat/hello"\n[[projects]]\nname = "repo"\nprojectPath = "repo"\n`);
    const before = { PATH: process.env["PATH"], GITHUB_TOKEN: process.env["GITHUB_TOKEN"], GH_TOKEN: process.env["GH_TOKEN"] };
    try {
      place.repository("repo");
      const bin = putClaude(place.directory), gh = join(bin, "gh");
      for (const name of ["GITHUB_TOKEN", "GH_TOKEN"]) delete process.env[name];
      process.env["PATH"] = `${bin}:${before.PATH ?? ""}`;
      const doctor = async () => (await createLocalTools().doctor({ configFile: place.configFile, directory: place.directory })).find(({ name }) => name === "source GitHub");
      const putGh = (script: string): void => {
        writeFileSync(gh, `#!/bin/sh\n${script}\n`);
        chmodSync(gh, 0o755);
      };
      putGh("exit 4");
      expect(await doctor()).toMatchObject({ state: "failed", detail: expect.stringContaining("gh is not signed in") });
      putGh('[ "$*" = "auth token" ] && echo ghp_goodtoken0123456789');
      const issue = fake.add("octocat/hello", "Write it");
      expect(await doctor()).toMatchObject({ state: "ok", detail: "1 open" });
      await using factory = await makeFactory(place, { keep: true, automation: true });
      await expect.poll(async () => (await factory.client.item(id))?.item.status, { timeout: guardMs }).toBe("done");
      expect((await factory.client.item(id))?.item).toMatchObject({ source: "github", sourceId: "octocat/hello#1", title: "Write it" });
      await expect.poll(() => issue.state, { timeout: guardMs }).toBe("closed");
      await expect.poll(() => issue.comments.map(({ body }) => readMark(body)), { timeout: guardMs }).toMatchObject([{ id: "GH-1", status: "done", published: expect.stringContaining("enact/GH-1") }]);
      expect(await factory.client.sync()).toMatchObject([{ source: "GitHub", taken: 0, trouble: null }]);
    } finally {
      for (const [name, value] of Object.entries(before)) if (value === undefined) delete process.env[name]; else process.env[name] = value;
      await fake.close();
      place.remove();
    }
  });
});
