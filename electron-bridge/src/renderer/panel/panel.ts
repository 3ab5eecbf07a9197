// The page of a panel: draws a descriptor, and tells what a person looks for and does.
import type {
  PanelAction,
  PanelContent,
  PanelDescriptor,
  PanelVerdict,
} from '../../generated/protocol';
import type { Outcome, PanelBridge } from '../../ipc/panel-channels';
import { text } from '../language';
import { factsOf } from './cell';
import { confirmed } from './confirm';
import { byId, fill, isTyping, make, setText } from './element';
import { Table } from './table';
import { Tools } from './tools';

declare const panel: PanelBridge;

const NOTICE_MS = 6000;

const tools = new Tools((query) => panel.query(query));
const table = new Table(byId('table') as HTMLTableElement, {
  onAction: (action, row, name, byKey) => void act(byKey ? asked(action) : action, name, row),
});
const previous = byId('previous') as HTMLButtonElement;
const next = byId('next') as HTMLButtonElement;

let shown: PanelDescriptor | undefined;
let noticeTimer: number | undefined;

function draw(descriptor: PanelDescriptor): void {
  const isOld = descriptor.panel === shown?.panel && descriptor.revision < shown.revision;
  if (isOld) return;
  const isFirst = shown === undefined;
  shown = descriptor;
  const { content } = descriptor;
  document.title = content.title;
  setText('title', content.title);
  setText('subtitle', content.subtitle ?? '');
  factsOf(content.facts ?? [], byId('facts'));
  byId('facts').hidden = (content.facts ?? []).length === 0;
  drawVerdict(content.verdict);
  drawActions(content.actions ?? []);
  drawMessage('error', content.error);
  tools.draw(content);
  table.draw(content);
  drawEmpty(content);
  drawFoot(content);
  byId('panel').hidden = false;
  if (isFirst) table.focus();
}

function drawVerdict(verdict: PanelVerdict | undefined): void {
  const box = byId('verdict');
  box.hidden = verdict === undefined;
  if (!verdict) return;
  box.className = verdict.tone ?? 'plain';
  setText('verdict-text', verdict.text);
  setText('verdict-detail', verdict.detail ?? '');
  byId('verdict-detail').title = verdict.detail ?? '';
  const bar = byId('verdict-progress') as HTMLProgressElement;
  bar.hidden = verdict.progress === undefined;
  bar.value = verdict.progress ?? 0;
}

function drawActions(actions: PanelAction[]): void {
  const bar = byId('actions');
  const key = JSON.stringify(actions);
  if (bar.dataset['key'] === key) return;
  const focused = (document.activeElement as HTMLElement | null)?.dataset['action'];
  bar.dataset['key'] = key;
  fill(
    bar,
    ...actions.map((action) => {
      const button = make('button', action.style ?? 'plain', action.label);
      button.type = 'button';
      button.dataset['action'] = action.id;
      button.disabled = action.disabled === true;
      button.addEventListener('click', () => void act(action, ''));
      return button;
    }),
  );
  if (focused) bar.querySelector<HTMLElement>(`[data-action="${focused}"]`)?.focus();
}

function drawMessage(id: string, message: PanelContent['error']): void {
  byId(id).hidden = message === undefined;
  if (!message) return;
  setText(`${id}-title`, message.title);
  setText(`${id}-text`, message.text ?? '');
}

function drawEmpty({ rows = [], groups = [], empty, error }: PanelContent): void {
  const isEmpty = rows.length + groups.length === 0;
  byId('table').hidden = isEmpty;
  const message = empty ?? { title: text('page.panel.nothing') };
  drawMessage('empty', isEmpty && !error ? message : undefined);
}

function drawFoot(content: PanelContent): void {
  setText('summary', content.summary ?? '');
  previous.disabled = content.previous === undefined;
  next.disabled = content.next === undefined;
  byId('pages').hidden = previous.disabled && next.disabled;
}

/** The action with a question before it, its own or that of its label. */
function asked(action: PanelAction): PanelAction {
  return { confirm: text('page.panel.really', { action: action.label }), ...action };
}

async function act(action: PanelAction, subject: string, row?: string): Promise<void> {
  const { revision } = shown ?? { revision: 0 };
  if (!(await confirmed(action, subject, () => table.focus()))) return;
  const outcome = await panel.act({ revision, action: action.id, ...(row ? { row } : {}) });
  tell(outcome);
}

function tell({ ok, message }: Outcome): void {
  const notice = byId('notice');
  clearTimeout(noticeTimer);
  notice.className = ok ? 'good' : 'bad';
  setText('notice', message);
  // A failure stays until something else happens.
  if (ok) noticeTimer = window.setTimeout(() => setText('notice', ''), NOTICE_MS);
}

function escape(): void {
  if (tools.clear() || table.closeDetails()) return;
  setText('notice', '');
  table.focus();
}

document.addEventListener('keydown', (event) => {
  if ((byId('confirm') as HTMLDialogElement).open) return;
  if (event.key === '/' && !isTyping(event.target)) tools.focusSearch();
  else if (event.key === 'Escape') escape();
  else if (event.key === 'ArrowDown' && event.target === byId('search')) table.focus();
  else if (event.key === 'w' && (event.ctrlKey || event.metaKey)) panel.close();
  else return;
  event.preventDefault();
});
previous.addEventListener('click', () => tools.ask(shown?.content.previous ?? ''));
next.addEventListener('click', () => tools.ask(shown?.content.next ?? ''));
byId('tools').addEventListener('submit', (event) => event.preventDefault());

panel.onDraw(draw);
panel.onConnected((connected) => {
  byId('away').hidden = connected;
});
panel.ready();
