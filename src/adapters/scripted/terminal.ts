/**
 * The scripted agent's own screen: an input line with bracketed paste, as agent CLIs have one, and its words above it.
 *
 * Owns: the terminal's modes, the input line. I1 The terminal is left as it was found, however the process ends by itself.
 * I2 What is pasted is text, line breaks included; only Enter outside of a paste hands it in.
 */
import type { AgentLine } from "./protocol.ts";

const pasteStart = "\u001b[200~", pasteEnd = "\u001b[201~";
const modes = { on: "\u001b[?2004h", off: "\u001b[?2004l" } as const;
/** Characters of a long input that are shown: its end. */
const shownEnd = 60;
const clearLine = "\r\u001b[K";

export interface AgentTerminal {
  /** The next text handed in with Enter. */
  readonly entered: () => Promise<string>;
  /** Shows what the agent does. */
  readonly show: (line: AgentLine) => void;
  readonly close: () => void;
}

const shown = (line: AgentLine): string | undefined => {
  switch (line.type) {
    case "session": return `scripted agent, session ${line.sessionId}`;
    case "text": case "thinking": case "result": return line.text;
    case "tool": return line.phase === "start" ? `* ${line.name} ${line.summary}` : undefined;
    case "question": return `? ${line.text}`;
    case "error": return `! ${line.message}`;
    case "prompted": case "heard": case "usage": case "cost": case "rateLimit": case "denied": case "verdict": case "audit": case "plan": case "criteria": case "message": case "interrupted": return undefined;
  }
};

/** `onInterrupt`: Ctrl-C was typed. */
export const openTerminal = (onInterrupt: () => void): AgentTerminal => {
  const { stdin, stdout } = process;
  const handedIn: string[] = [];
  let wanted: ((text: string) => void) | undefined;
  let typed = "";
  /** Bytes that may be the beginning of a marker. */
  let rest = "";
  let pasting = false;

  const redraw = (): void => void stdout.write(`${clearLine}> ${typed.slice(-shownEnd).replaceAll("\n", " ")}`);
  const submit = (): void => {
    if (typed.trim() === "") return;
    const text = typed;
    typed = "";
    stdout.write(`${clearLine}> ${text.length > 2_000 ? `… ${text.slice(-2_000)}` : text}`.replaceAll("\n", "\r\n  ").concat("\r\n"));
    if (wanted) wanted(text);
    else handedIn.push(text);
    wanted = undefined;
  };
  const key = (character: string): void => {
    if (pasting) typed += character === "\r" ? "\n" : character;
    else if (character === "\r") submit();
    else if (character === "\u0003") onInterrupt();
    else if (character === "\u007f") typed = typed.slice(0, -1);
    else if (character >= " ") typed += character;
  };
  const feed = (text: string): void => {
    rest += text;
    while (rest !== "") {
      const marker = pasting ? pasteEnd : pasteStart;
      if (rest.startsWith(marker)) {
        pasting = !pasting;
        rest = rest.slice(marker.length);
      } else if (marker.startsWith(rest)) break;
      else {
        const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
        key(character);
        rest = rest.slice(character.length);
      }
    }
    redraw();
  };

  stdin.setRawMode?.(true);
  stdin.setEncoding("utf8");
  stdin.on("data", (chunk) => feed(String(chunk)));
  stdout.write(modes.on);
  redraw();
  const close = (): void => {
    stdout.write(`${modes.off}\r\n`);
    stdin.setRawMode?.(false);
  };
  process.on("exit", close);
  return {
    entered: () => new Promise((resolve) => {
      const waiting = handedIn.shift();
      if (waiting === undefined) wanted = resolve;
      else resolve(waiting);
    }),
    show: (line) => {
      const text = shown(line);
      if (text === undefined) return;
      stdout.write(`${clearLine}${text.replaceAll("\n", "\r\n")}\r\n`);
      redraw();
    },
    close,
  };
};
