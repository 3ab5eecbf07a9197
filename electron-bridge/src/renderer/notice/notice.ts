// The page of a notice. Everything in it is set as text, never as markup.
import type { NoticeBridge } from '../../ipc/notice-channels';
import { text } from '../language';

declare const notice: NoticeBridge;

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`There is no #${id} in the page.`);
  return found;
}

const password = byId('password') as HTMLInputElement;
const accept = byId('accept') as HTMLButtonElement;
const problem = byId('problem');

function setText(id: string, text: string): void {
  byId(id).textContent = text;
}

function tellHeight(): void {
  notice.drawn(Math.ceil(byId('notice').getBoundingClientRect().height));
}

async function take(): Promise<void> {
  const typed = password.value;
  if (accept.disabled || (!password.hidden && typed === '')) return;
  accept.disabled = true;
  password.value = '';
  problem.hidden = true;
  const wrong = await notice.accept(password.hidden ? undefined : typed);
  accept.disabled = false;
  // Where all went well the backend takes the notice away.
  problem.hidden = wrong === undefined;
  problem.textContent = wrong ?? '';
  tellHeight();
  if (wrong !== undefined && !password.hidden) password.focus();
}

async function show(): Promise<void> {
  const descriptor = await notice.descriptor();
  document.documentElement.dataset['severity'] = descriptor.severity;
  setText('title', descriptor.title);
  setText('words', descriptor.words);
  setText('action', descriptor.action);
  setText('command', descriptor.command ?? '');
  byId('command').hidden = descriptor.command === undefined;
  setText('dismiss', descriptor.dismissLabel ?? text('page.notice.dismiss'));
  setText('accept', descriptor.offerLabel ?? text('page.notice.unlock'));
  accept.hidden = descriptor.offer === undefined;
  password.hidden = descriptor.asksPassword !== true;
  byId('dismiss').addEventListener('click', () => notice.dismiss());
  byId('form').addEventListener('submit', (event) => {
    event.preventDefault();
    void take();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') notice.dismiss();
  });
  tellHeight();
}

void show();
