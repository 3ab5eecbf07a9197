// The page of a consent dialog. Everything in it is set as text, never as markup.
import { ALLOW_DELAY_MS } from '../../generated/constants';
import type { PermissionDialog, RememberChoice } from '../../generated/protocol';
import type { ConsentBridge, Remember } from '../../ipc/dialog-channels';
import { text } from '../language';

declare const consent: ConsentBridge;

/** The backend counts from when it was told, a little later; a click at once must count there. */
const ALLOW_MARGIN_MS = 100;

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`There is no #${id} in the page.`);
  return found;
}

const allow = byId('allow') as HTMLButtonElement;

function setText(id: string, text: string): void {
  byId(id).textContent = text;
}

function draw(descriptor: PermissionDialog): void {
  const { identity, number, reason } = descriptor;
  document.documentElement.dataset['risk'] = descriptor.risk;
  setText('avatar', initial(identity.name));
  setText('name', identity.name);
  setText('publisher', identity.publisher);
  setText('app', identity.app);
  setText('risk-label', text(`page.dialog.risk.${descriptor.risk}`));
  setText('statement', descriptor.statement);
  setText('verified', text(identity.verified ? 'page.dialog.signed' : 'page.dialog.not-signed'));
  byId('verified').classList.toggle('is-signed', identity.verified === true);
  setText('origin', identity.origin ?? '');
  setText('scope-words', descriptor.scopeWords);
  setText('scope', descriptor.scope);
  setText('detail', descriptor.detail);
  setText('number', number ?? '');
  byId('comparison').hidden = number === undefined;
  setText('reason', reason ?? '');
  byId('quote').hidden = reason === undefined || reason === '';
  setText('deny', descriptor.denyLabel ?? text('page.dialog.deny'));
  setText('allow', descriptor.allowLabel ?? text('page.dialog.allow'));
  setText('remember-label', descriptor.rememberLabel ?? text('page.dialog.remember'));
  byId('choices').append(...descriptor.choices.map((choice) => radio(choice, descriptor.chosen)));
}

function radio({ id, label }: RememberChoice, chosen: Remember): HTMLLabelElement {
  const input = document.createElement('input');
  input.type = 'radio';
  input.name = 'remember';
  input.value = id;
  input.checked = id === chosen;
  const words = document.createElement('span');
  words.textContent = label;
  const whole = document.createElement('label');
  whole.append(input, words);
  return whole;
}

/** The shortest that is offered. */
function passing(): Remember {
  const [first] = document.querySelectorAll<HTMLInputElement>('input[name=remember]');
  return (first?.value ?? 'once') as Remember;
}

function picked(): Remember {
  const found = document.querySelector<HTMLInputElement>('input[name=remember]:checked');
  return (found?.value ?? 'once') as Remember;
}

function listen(): void {
  // Esc says no to this dialog, and nothing about the next.
  const once = passing();
  const answer = (choice: 'allow' | 'deny'): void => consent.answer(choice, picked());
  allow.addEventListener('click', () => answer('allow'));
  byId('deny').addEventListener('click', () => answer('deny'));
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') consent.answer('deny', once);
  });
}

/** Shows what the keyboard is at, also while the window itself is not in front. */
function markFocus(): void {
  const mark = (): void => {
    for (const button of document.querySelectorAll('button')) {
      button.classList.toggle('has-focus', button === document.activeElement);
    }
  };
  document.addEventListener('focusin', mark);
  mark();
}

function initial(name: string): string {
  const [letter] = Array.from(name.trim());
  return letter?.toUpperCase() ?? '?';
}

/** Resolves after the frame that is being made now has reached the screen. */
function nextPaint(): Promise<void> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
  });
}

async function show(): Promise<void> {
  const descriptor = await consent.descriptor();
  draw(descriptor);
  listen();
  await consent.drawn(Math.ceil(byId('dialog').getBoundingClientRect().height));
  byId('deny').focus();
  markFocus();
  await nextPaint();
  await consent.painted();
  const delay = (descriptor.allowDelay ?? ALLOW_DELAY_MS) + ALLOW_MARGIN_MS;
  let timer: number | undefined;
  const arm = (): void => {
    allow.disabled = true;
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      allow.disabled = false;
    }, delay);
  };
  consent.onChanged(arm);
  arm();
}

void show();
