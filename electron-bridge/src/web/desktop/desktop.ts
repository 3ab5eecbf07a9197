// The desktop page: people open apps from it, choose channels and the apps that take an intent, and
// it is FDC3's agent to the pages in its windows and frames.
import { asDeskbusError } from '../../common/error';
import type {
  BeginDesktopResult,
  ChoiceDialog,
  DesktopEntry,
  HostedParams,
  OpenAppWindowParams,
  AppRefusedParams,
  ShowDesktopChoiceParams,
} from '../../generated/protocol';
import { Client, type ClientEvents } from '../../node/client';
import { avatar, ChoiceList, element } from '../../renderer/choice/choice-list';
import { SocketPool, type Socket } from '../../node/link/socket-pool';
import { tabName, told } from '../tab-name';
import { TicketOffice } from '../tickets';
import { invite } from '../invitation';
import { OWN_NAMES, PROOF } from '../words';
import { AppFrame, AppWindow, type AppPlace } from './app-places';
import { ConnectedApps, type ConnectedApp } from './connected-apps';

const LOCK = `${OWN_NAMES}desktop`;
const WINDOW_FEATURES = 'popup,width=960,height=720';

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`There is no #${id} in the page.`);
  return found;
}

const frames = byId('frames');
const choice = byId('choice') as HTMLDialogElement;

let begun: BeginDesktopResult = { apps: [], channels: [], version: '2.2' };
let shown: { descriptor: ChoiceDialog; list: ChoiceList } | undefined;
let front: HTMLIFrameElement | undefined;

const proof = localStorage.getItem(PROOF) ?? '';
const office = new TicketOffice(location.origin, { csrf: told('csrf'), proof });
const pool = new SocketPool(office.busUrl, (url) => new WebSocket(url) as unknown as Socket);
const client = new Client({
  app: told('app'),
  dial: (_address, hooks, onHeard) => pool.dial(hooks, onHeard),
  renewable: true,
  ticketProvider: () => office.ticketFor(tabName(true)),
});
const connected = new ConnectedApps({
  call: client.call.bind(client),
  dial: (_address, hooks, onHeard) => pool.dial(hooks, onHeard),
  busUrl: office.busUrl,
  titleOf: (appId) => begun.apps.find((each) => each.appId === appId)?.title ?? appId,
  place,
});

function say(words: string): void {
  const status = byId('status');
  status.textContent = words;
  status.hidden = words === '';
}

// Windows and frames.

function place(url: string, title: string, view: 'window' | 'frame'): AppPlace | undefined {
  const opened = view === 'window' ? window.open(url, '_blank', WINDOW_FEATURES) : null;
  return opened ? new AppWindow(opened) : inFrame(url, title);
}

/** Where the browser lets no window be opened, and where a frame is wanted. */
function inFrame(url: string, title: string): AppPlace | undefined {
  const frame = document.createElement('iframe');
  frame.title = title;
  frame.src = url;
  frames.append(frame);
  if (!frame.contentWindow) return undefined;
  bringToFront(frame);
  return new AppFrame(frame, frame.contentWindow, () => bringToFront(frame));
}

function bringToFront(frame: HTMLIFrameElement | undefined): void {
  front = frame;
  for (const each of frames.querySelectorAll('iframe')) each.hidden = each !== frame;
  draw();
}

// The lists of apps.

function draw(): void {
  drawApps();
  const list = byId('running');
  list.textContent = '';
  const all = connected.all;
  for (const app of all) list.append(runningRow(app));
  byId('none').hidden = all.length > 0;
  byId('hint').hidden = front?.isConnected === true;
}

function drawApps(): void {
  const wanted = (byId('search') as HTMLInputElement).value.trim().toLowerCase();
  const list = byId('apps');
  const fitting = begun.apps.filter(({ title, description = '' }) =>
    `${title} ${description}`.toLowerCase().includes(wanted),
  );
  list.textContent = '';
  for (const app of fitting) list.append(appButton(app));
  byId('nothing').hidden = fitting.length > 0;
}

function appButton({ appId, title, url, description, icon }: DesktopEntry): HTMLElement {
  const button = element('button', '', 'choice') as HTMLButtonElement;
  button.type = 'button';
  const words = element('span', '');
  words.append(element('div', title, 'label'));
  if (description) words.append(element('div', description, 'detail'));
  button.append(avatar(title, { icon }), words);
  button.addEventListener('click', () => {
    if (!connected.open({ appId, title, url })) say('The browser did not let it be opened.');
  });
  return button;
}

function runningRow(app: ConnectedApp): HTMLElement {
  const row = element('li', '', 'running');
  const name = element('button', app.title, 'name') as HTMLButtonElement;
  name.addEventListener('click', () => app.place.focus());
  row.append(name);
  if (app.isLost) row.append(element('span', 'disconnected: load it anew', 'mark'));
  else if (app.instanceId !== undefined) row.append(channelButton(app, app.instanceId));
  const close = element('button', '✕', 'close') as HTMLButtonElement;
  close.setAttribute('aria-label', `Close ${app.title}`);
  close.addEventListener('click', () => {
    app.place.close();
    if (!front?.isConnected) bringToFront([...frames.querySelectorAll('iframe')].pop());
  });
  row.append(close);
  return row;
}

function channelButton(app: ConnectedApp, instanceId: string): HTMLElement {
  const channel = begun.channels.find(({ id }) => id === app.channel);
  const button = element('button', channel?.name ?? 'No channel', 'channel') as HTMLButtonElement;
  button.setAttribute('aria-label', `Channel of ${app.title}: ${channel?.name ?? 'none'}`);
  if (channel) button.style.borderColor = channel.color;
  button.addEventListener('click', () => {
    client.call('desktop.chooseChannel', { instanceId }).catch(() => undefined);
  });
  return button;
}

// Choices.

function showChoice(descriptor: ChoiceDialog): void {
  if (shown) answer(null);
  byId('statement').textContent = descriptor.statement;
  byId('cancel').textContent = descriptor.cancelLabel ?? 'Cancel';
  const elements = {
    search: byId('choice-search') as HTMLInputElement,
    list: byId('choices'),
    nothing: byId('choice-nothing'),
    running: 'running',
    remember: byId('remember') as HTMLInputElement,
    rememberWords: byId('remember-words'),
  };
  const list = new ChoiceList(elements, descriptor, answer);
  shown = { descriptor, list };
  choice.showModal();
  list.focus();
  // A person may be looking at an app's window.
  window.focus();
}

function closeChoice(dialog: string): void {
  if (shown?.descriptor.dialog !== dialog) return;
  shown = undefined;
  choice.close();
}

function answer(id: string | null, remember = false): void {
  if (!shown) return;
  const { dialog, nonce } = shown.descriptor;
  closeChoice(dialog);
  const given = { dialog, nonce, ...(id === null ? {} : { choice: id, remember }) };
  // It may have been too late: then nobody waits for it.
  client.call('desktop.answerChoice', { answer: given }).catch(() => undefined);
}

// The backend's wishes.

function openWindow({ launch, ...wanted }: OpenAppWindowParams): void {
  const opened = connected.open({ ...wanted, launch }) !== undefined;
  client.call('desktop.opened', { launch, opened }).catch(() => undefined);
}

function heed({ method, params }: ClientEvents['desktop']): void {
  if (method === 'desktop.openWindow') openWindow(params as OpenAppWindowParams);
  else if (method === 'desktop.closeWindow') connected.close((params as HostedParams).instanceId);
  else if (method === 'desktop.showChoice') {
    showChoice((params as ShowDesktopChoiceParams).descriptor);
  } else if (method === 'desktop.refused') {
    say((params as AppRefusedParams).words);
  } else if (method === 'desktop.closeChoice') closeChoice((params as { dialog: string }).dialog);
}

// Its life.

async function begin(): Promise<void> {
  begun = await client.call('desktop.begin', {});
  say('');
  draw();
}

function run(): void {
  client.on('desktop', heed);
  client.on('state', (state) => {
    if (state === 'resuming') say('The connection is lost; trying again …');
    else if (state === 'closed') say('This browser is not let in any more: open the desktop anew.');
    else if (state === 'open') begin().catch(fail);
  });
  client.open().catch(fail);
}

function fail(error: unknown): void {
  const { message, action } = asDeskbusError(error);
  say(`${message} ${action}`);
}

byId('search').addEventListener('input', drawApps);
byId('cancel').addEventListener('click', () => answer(null));
choice.addEventListener('cancel', (event) => {
  event.preventDefault();
  answer(null);
});
choice.addEventListener('keydown', (event) => shown?.list.onKey(event));
connected.on('changed', draw);
window.addEventListener('beforeunload', (event) => {
  if (connected.all.some(({ instanceId }) => instanceId !== undefined)) event.preventDefault();
});

if (!invite()) {
  say('Another tab has the desktop: it goes on here when that one is closed.');
  // One at a time: each has the browser's windows for itself.
  void navigator.locks.request(LOCK, () => {
    say('Connecting …');
    run();
    return new Promise(() => undefined);
  });
}
