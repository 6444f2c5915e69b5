/** An owner to be killed: shows one program, says which pane it is, and stays. Arguments: the options as JSON, the pane's directory, the room's. */
import { openTerminals, type TerminalsOptions } from "../../tmux/index.ts";

const [options = "", directory = "", room = ""] = process.argv.slice(2);
const terminals = await openTerminals(JSON.parse(options) as TerminalsOptions);
const pane = await terminals.show({
  kind: "program", session: "LOC-9", name: "agent", columns: 80, rows: 24, directory, cwd: room, env: { PATH: "/usr/bin:/bin", ENACT_TEST_ROOM: room },
  argv: [process.execPath, "-e", "let n=0;setInterval(()=>console.log('tick '+n++),20);process.stdin.on('data',()=>process.exit(4))"],
});
process.stdout.write(JSON.stringify({ id: pane.id, pid: pane.pid }));
setInterval(() => undefined, 1_000);
