
// ------------------------------------------------------------------------------------------------ the same as a table

// What the chart and its small panels draw, at every evaluation: for who does not see them, or wants the numbers.
const MOST_ROWS = 200; // the latest; a reader of numbers wants the end first
const METERS = ['lr', 'grad_norm', 'speed']; // the small panels

// Of the steps that this page was told, the last one up to an evaluation.
const meters = (step) => {
  const {raw} = state, at = raw.step.findLastIndex((one) => one <= step);
  return METERS.map((name) => (at < 0 ? '–' : short(raw[name][at])));
};

const hasExperts = () => state.held.shares.some((shares) => shares.length);

const cells = (i) => {
  const {held, perStep} = state, number = (value, digits) => (value == null ? '–' : value.toFixed(digits));
  const shares = held.shares[i].map((share) => `${(100 * share).toFixed(0)} %`).join(' ');
  return [held.step[i].toLocaleString(), `${number(held.seconds[i], 0)} s`, (held.step[i] * perStep[0]).toLocaleString(),
    number(held.step[i] * perStep[1], 2), number(held.learnt[i], 3), number(held.nats[i], 3), number(held.bits[i], 3),
    ...meters(held.step[i]), ...(hasExperts() ? [shares || '–'] : [])];
};

const drawTable = () => {
  numbers.hidden = !chosen.table;
  plot.classList.toggle('away', chosen.table);
  if (!chosen.table) return;
  const {words, held} = state, best = bestAt();
  const names = ['step', 'time', 'tokens', 'epoch', 'learnt_nats', 'unseen_nats', 'bits', ...METERS, ...(hasExperts() ? ['experts'] : [])];
  const heads = names.map((name) => `<th scope="col">${words[name]}</th>`);
  const rows = held.step.map((_, i) => i).reverse().slice(0, MOST_ROWS).map((i) => {
    const [first, ...rest] = cells(i), mark = i === best ? ` ${words.best}` : '';
    return `<tr${i === best ? ' class="best"' : ''}><th scope="row">${first}${mark}</th>${rest.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  numbers.innerHTML = `<table><caption>${words.table_about}</caption><thead><tr>${heads.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
};
