// The page of a choice dialog.
import type { ChoiceBridge } from '../../ipc/choice-channels';
import { ChoiceList } from './choice-list';
import { text } from '../language';

declare const choice: ChoiceBridge;

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`There is no #${id} in the page.`);
  return found;
}

async function show(): Promise<void> {
  const descriptor = await choice.descriptor();
  byId('statement').textContent = descriptor.statement;
  byId('cancel').textContent = descriptor.cancelLabel ?? text('page.choice.cancel');
  byId('cancel').addEventListener('click', () => choice.choose(null, false));
  const elements = {
    search: byId('search') as HTMLInputElement,
    list: byId('choices'),
    nothing: byId('nothing'),
    running: text('page.choice.running'),
    remember: byId('remember') as HTMLInputElement,
    rememberWords: byId('remember-words'),
  };
  const list = new ChoiceList(elements, descriptor, (id, remember) => choice.choose(id, remember));
  document.addEventListener('keydown', list.onKey);
  choice.drawn(Math.ceil(byId('dialog').getBoundingClientRect().height));
  list.focus();
}

void show();
