import { agentProcessMachine } from "./agent-process.ts";
import { autopilotMachine } from "./autopilot.ts";
import type { CatalogEntry } from "./catalog.ts";
import { exploration as exploreAgentProcess } from "./exploration/agent-process.ts";
import { exploration as exploreAutopilot } from "./exploration/autopilot.ts";
import { exploration as exploreIncidents } from "./exploration/incidents.ts";
import { exploration as exploreIntake } from "./exploration/intake.ts";
import { exploration as exploreMember } from "./exploration/member.ts";
import { exploration as exploreNotices } from "./exploration/notices.ts";
import { exploration as explorePipeline } from "./exploration/pipeline.ts";
import { exploration as exploreProgress } from "./exploration/progress.ts";
import { exploration as exploreProvider } from "./exploration/provider.ts";
import { exploration as exploreRalph } from "./exploration/ralph.ts";
import { exploration as exploreResponsesTurn } from "./exploration/responses-turn.ts";
import { exploration as exploreSession } from "./exploration/session.ts";
import { exploration as exploreSpend } from "./exploration/spend.ts";
import { exploration as exploreStage } from "./exploration/stage.ts";
import { exploration as exploreTeam } from "./exploration/team.ts";
import { exploration as exploreUltrawork } from "./exploration/ultrawork.ts";
import { exploration as exploreWorkItem } from "./exploration/work-item.ts";
import { incidentsMachine } from "./incidents.ts";
import { intakeMachine } from "./intake.ts";
import { noOlderVersion, olderPipeline, olderStage } from "./older-versions.ts";
import { memberMachine } from "./member.ts";
import { noticesMachine } from "./notices.ts";
import { pipelineMachine } from "./pipeline.ts";
import { progressMachine } from "./progress.ts";
import { providerMachine } from "./provider.ts";
import { ralphMachine } from "./ralph.ts";
import { responsesTurnMachine } from "./responses-turn.ts";
import { sessionMachine } from "./session.ts";
import { spendMachine } from "./spend.ts";
import { stageMachine } from "./stage.ts";
import { teamMachine } from "./team.ts";
import { ultraworkMachine } from "./ultrawork.ts";
import { viewAutopilot, viewMember, viewNotices, viewPipeline, viewProgress, viewRalph, viewSession, viewSpend, viewStage, viewTeam, viewUltrawork, viewWorkItem } from "./views.ts";
import { workItemMachine } from "./work-item.ts";

const unseen = (): null => null;

/** Every chart of the house. */
export const catalog: readonly CatalogEntry[] = [
  { id: "work-item", version: 1, machine: workItemMachine, durable: true, migrate: noOlderVersion("work-item"), view: viewWorkItem, exploration: exploreWorkItem },
  { id: "pipeline", version: 3, machine: pipelineMachine, durable: true, migrate: olderPipeline, view: viewPipeline, exploration: explorePipeline },
  { id: "ralph", version: 1, machine: ralphMachine, durable: true, migrate: noOlderVersion("ralph"), view: viewRalph, exploration: exploreRalph },
  { id: "autopilot", version: 1, machine: autopilotMachine, durable: true, migrate: noOlderVersion("autopilot"), view: viewAutopilot, exploration: exploreAutopilot },
  { id: "ultrawork", version: 1, machine: ultraworkMachine, durable: true, migrate: noOlderVersion("ultrawork"), view: viewUltrawork, exploration: exploreUltrawork },
  { id: "stage", version: 2, machine: stageMachine, durable: true, migrate: olderStage, view: viewStage, exploration: exploreStage },
  { id: "team", version: 1, machine: teamMachine, durable: true, migrate: noOlderVersion("team"), view: viewTeam, exploration: exploreTeam },
  { id: "member", version: 1, machine: memberMachine, durable: true, migrate: noOlderVersion("member"), view: viewMember, exploration: exploreMember },
  { id: "progress", version: 1, machine: progressMachine, durable: true, migrate: noOlderVersion("progress"), view: viewProgress, exploration: exploreProgress },
  { id: "session", version: 1, machine: sessionMachine, durable: true, migrate: noOlderVersion("session"), view: viewSession, exploration: exploreSession },
  { id: "intake", version: 1, machine: intakeMachine, durable: true, migrate: noOlderVersion("intake"), view: unseen, exploration: exploreIntake },
  { id: "incidents", version: 1, machine: incidentsMachine, durable: true, migrate: noOlderVersion("incidents"), view: (snapshot) => snapshot.context, exploration: exploreIncidents },
  { id: "spend", version: 1, machine: spendMachine, durable: true, migrate: noOlderVersion("spend"), view: viewSpend, exploration: exploreSpend },
  { id: "provider", version: 1, machine: providerMachine, durable: true, migrate: noOlderVersion("provider"), view: (snapshot) => snapshot.context, exploration: exploreProvider },
  { id: "notices", version: 1, machine: noticesMachine, durable: true, migrate: noOlderVersion("notices"), view: viewNotices, exploration: exploreNotices },
  { id: "agent-process", version: 1, machine: agentProcessMachine, durable: false, migrate: noOlderVersion("agent-process"), view: unseen, exploration: exploreAgentProcess },
  { id: "responses-turn", version: 1, machine: responsesTurnMachine, durable: false, migrate: noOlderVersion("responses-turn"), view: unseen, exploration: exploreResponsesTurn },
];
