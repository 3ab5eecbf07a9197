// The page of a consent dialog. Everything in it is set as text, never as markup.
import type { PermissionDialog } from '../generated/protocol';
import type { ConsentBridge } from '../main/dialog-channels';

declare const consent: ConsentBridge;

const RISKS = { low: 'Low risk', medium: 'Medium risk', high: 'High risk' };
const DEFAULT_ALLOW_DELAY_MS = 500;
/** The backend counts from when it was told, a little later; a click at once must count there. */
const ALLOW_MARGIN_MS = 100;

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`There is no #${id} in the page.`);
  return found;
}

const remember = byId('remember') as HTMLInputElement;
const allow = byId('allow') as HTMLButtonElement;

function setText(id: string, text: string): void {
  byId(id).textContent = text;
}

function draw(descriptor: PermissionDialog): void {
  const { identity, reason } = descriptor;
  document.documentElement.dataset['risk'] = descriptor.risk;
  setText('avatar', initial(identity.name));
  setText('name', identity.name);
  setText('publisher', identity.publisher);
  setText('app', identity.app);
  setText('risk-label', RISKS[descriptor.risk]);
  setText('statement', descriptor.statement);
  setText('scope', descriptor.scope);
  setText('detail', descriptor.detail);
  setText('reason', reason ?? '');
  byId('quote').hidden = reason === undefined || reason === '';
  setText('deny', descriptor.denyLabel ?? 'Deny');
  setText('allow', descriptor.allowLabel ?? 'Allow');
  setText('remember-label', descriptor.rememberLabel ?? 'Remember my choice');
}

function listen(): void {
  const answer = (choice: 'allow' | 'deny'): void => consent.answer(choice, remember.checked);
  allow.addEventListener('click', () => answer('allow'));
  byId('deny').addEventListener('click', () => answer('deny'));
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') answer('deny');
  });
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
  await nextPaint();
  await consent.painted();
  const delay = (descriptor.allowDelay ?? DEFAULT_ALLOW_DELAY_MS) + ALLOW_MARGIN_MS;
  setTimeout(() => {
    allow.disabled = false;
  }, delay);
}

void show();
