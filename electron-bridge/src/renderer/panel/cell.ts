import type { PanelCell, PanelFact } from '../../generated/protocol';
import { fill, make } from './element';
import { fullTime, shortTime } from './time';

/** One cell: its text or time, in its look and tone, with its note below. */
export function cellOf(cell: PanelCell): HTMLElement {
  const box = make('div', 'cell');
  const tag = cell.look === 'code' ? 'code' : 'span';
  const line = make(tag, `value ${cell.look ?? 'text'} ${cell.tone ?? 'plain'}`);
  if (cell.time === undefined) {
    line.textContent = cell.text ?? '';
    if (line.textContent.length > 24) line.title = line.textContent;
  } else {
    const at = new Date(cell.time);
    line.textContent = `${cell.text ?? ''}${shortTime(at, new Date())}`;
    line.title = fullTime(at);
    line.classList.add('time');
  }
  box.append(line);
  if (cell.note !== undefined && cell.note !== '') {
    const note = make('span', 'note', cell.note);
    note.title = cell.note;
    box.append(note);
  }
  return box;
}

/** Labels and values, as a description list. */
export function factsOf(facts: PanelFact[], list: HTMLElement): void {
  fill(
    list,
    ...facts.map((fact) => {
      const pair = make('div', 'fact');
      pair.append(
        make('dt', '', fact.label),
        make('dd', `${fact.look ?? 'text'} ${fact.tone ?? 'plain'}`, fact.text),
      );
      return pair;
    }),
  );
}
