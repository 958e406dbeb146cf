// The distribution of the next token. The scores came once; temperature, top-k and top-p are applied here, at once.
const SHOWN = 14, CURVES = 5, HOTTEST = 2.5, COLDEST = 0.1;
let settings = {temperature: 1, k: 0, p: 1}; // stays while other texts are looked at

// Probabilities of the tokens that were sent, and of all others together, at a temperature.
const heated = ({logits, tail}, temperature) => {
  const mass = logits.map((logit) => Math.exp(logit / temperature));
  const rest = tail.reduce((sum, [score, count]) => sum + count * Math.exp(score / temperature), 0);
  const total = mass.reduce((sum, one) => sum + one, rest);
  return {shares: mass.map((one) => one / total), rest: rest / total};
};

// The same order as lm.generate.probabilities: temperature, then top-k, then top-p of what is left.
const drawn = (value, {temperature, k, p}) => {
  if (temperature === 0) return {shares: value.logits.map((_, i) => Number(i === 0)), rest: 0};
  const {shares, rest} = heated(value, temperature);
  const isCut = k > 0 && k < value.logits.length + value.tail.reduce((sum, [, count]) => sum + count, 0);
  const bound = isCut ? value.logits[k - 1] : -Infinity; // what ties with the last one stays
  const kept = shares.map((share, i) => (value.logits[i] >= bound ? share : 0));
  const left = isCut ? 0 : rest;
  const sum = kept.reduce((all, share) => all + share, left);
  let before = 0;
  const nucleus = kept.map((share, i) => {
    const stays = p >= 1 || i === 0 || before < p;
    before += share / sum;
    return stays ? share / sum : 0;
  });
  const others = p >= 1 || before < p ? left / sum : 0;
  const whole = nucleus.reduce((all, share) => all + share, others);
  return {shares: nucleus.map((share) => share / whole), rest: others / whole};
};

const choices = ({shares, rest}) => Math.exp(-[...shares, rest].reduce((sum, one) => sum + (one > 0 ? one * Math.log(one) : 0), 0));

const slider = (words, name, bounds, told, changed) => {
  const output = make('output', {}, told(settings[name]));
  const input = make('input', {type: 'range', ...bounds, value: settings[name], 'aria-label': words});
  input.addEventListener('input', () => {
    settings[name] = Number(input.value);
    output.textContent = told(settings[name]);
    input.style.setProperty('--range_progress', `${100 * (input.value - bounds.min) / (bounds.max - bounds.min)}%`);
    changed();
  });
  input.style.setProperty('--range_progress', `${100 * (settings[name] - bounds.min) / (bounds.max - bounds.min)}%`);
  return make('label', {}, make('span', {}, words), output, input);
};

const bars = (value, used, own) => {
  const {words} = value;
  const rows = make('div', {class: 'bars', role: 'group', 'aria-label': words.bars});
  rows.append(make('p', {class: 'columns', 'aria-hidden': true}, make('span', {}, words.token),
    make('span', {class: 'used', title: words.used}, words.settings), make('span', {class: 'own', title: words.own}, words.model)));
  value.tokens.slice(0, SHOWN).forEach((token, i) => {
    const bar = make('i', {class: 'odds'}), before = make('u', {class: 'own'}), after = make('u', {class: 'used'});
    before.style.width = `${100 * own.shares[i]}%`;
    after.style.width = `${100 * used.shares[i]}%`;
    bar.append(before, after);
    const share = used.shares[i] > 0 ? percent(used.shares[i]) : words.cut;
    const row = make('button', {class: used.shares[i] > 0 ? '' : 'cut', 'data-token': token, title: words.take,
      'aria-label': `${visible(token)}: ${words.used} ${share}, ${words.own} ${percent(own.shares[i])}. ${words.take}`},
    make('code', {}, visible(token)), bar, make('b', {}, share), make('em', {}, percent(own.shares[i])));
    if (/^⟨.*⟩$/.test(token)) row.disabled = true; // a part of a character cannot be typed
    rows.append(row);
  });
  const listed = (all) => all.shares.slice(SHOWN).reduce((sum, one) => sum + one, all.rest);
  rows.append(make('p', {class: 'fine'}, `${words.rest}: ${percent(listed(used))} · ${words.own} ${percent(listed(own))}`));
  rows.addEventListener('click', ({target}) => {
    const row = target.closest('button');
    if (row) trigger('select', {text: row.dataset.token});
  });
  return rows;
};

// Each curve is one token's probability over the temperature, the vertical line where the slider stands.
const curves = (value) => {
  const {words} = value, width = 420, height = 190, left = 44, bottom = 24, top = 8;
  const x = (t) => left + (t - COLDEST) / (HOTTEST - COLDEST) * (width - left - 40), y = (share) => height - bottom - share * (height - bottom - top);
  const plot = vector('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': words.heat});
  for (const share of [0, 0.5, 1]) {
    plot.append(vector('line', {x1: left, x2: width - 40, y1: y(share), y2: y(share), class: 'grid-line'}), vector('text', {x: left - 6, y: y(share) + 4, 'text-anchor': 'end'}, `${100 * share} %`));
  }
  for (const t of [0.5, 1, 1.5, 2, 2.5]) plot.append(vector('text', {x: x(t), y: height - 6, 'text-anchor': 'middle'}, t));
  const heats = Array.from({length: 49}, (_, i) => COLDEST + i * (HOTTEST - COLDEST) / 48), found = heats.map((t) => heated(value, t).shares);
  const shown = value.tokens.slice(0, CURVES);
  let above = height - bottom + 17; // names stand at the ends of their curves, each a line above the one below it, in any script
  const lines = shown.map((_, i) => y(found[48][i]) + 4).map((line, i) => [line, i]).sort((a, b) => b[0] - a[0])
    .reduce((placed, [line, i]) => { above = Math.min(line, above - 13); placed[i] = above; return placed; }, []);
  shown.forEach((token, i) => {
    plot.append(vector('path', {d: heats.map((t, n) => `${n ? 'L' : 'M'}${x(t).toFixed(1)} ${y(found[n][i]).toFixed(1)}`).join(''), class: `curve c${i}`}));
    plot.append(vector('text', {x: width - 36, y: lines[i], class: 'name'}, visible(token)));
  });
  const now = Math.max(COLDEST, Math.min(HOTTEST, settings.temperature));
  plot.append(vector('line', {x1: x(now), x2: x(now), y1: top, y2: height - bottom, class: 'now-line'}));
  return plot;
};

// The same curves in numbers.
const curvesTable = (value) => {
  const heats = [0.1, 0.5, 1, 1.5, 2, 2.5], {words} = value;
  const rows = () => {
    const found = heats.map((t) => heated(value, t).shares);
    return value.tokens.slice(0, CURVES).map((token, i) => [visible(token), ...found.map((shares) => percent(shares[i]))]);
  };
  return tabled(words.as_table, [words.token, ...heats.map((t) => `τ = ${t}`)], rows).box;
};

start((value) => {
  const {words} = value, size = value.logits.length;
  const live = make('div', {class: 'next'}), inNumbers = curvesTable(value);
  const changed = () => {
    const used = drawn(value, settings), own = heated(value, 1);
    const effect = make('p', {class: 'figure'}, make('b', {}, choices(used).toFixed(choices(used) < 10 ? 1 : 0)), words.choices);
    live.replaceChildren(
      make('div', {}, bars(value, used, own)),
      make('div', {}, effect, make('h4', {}, words.heat), curves(value), inNumbers),
    );
  };
  const sliders = make('div', {class: 'sliders'},
    slider(words.temperature, 'temperature', {min: 0, max: HOTTEST, step: 0.05}, (t) => t.toFixed(2), changed),
    slider(words.top_k, 'k', {min: 0, max: Math.min(100, size), step: 1}, (k) => (k ? String(k) : words.all), changed),
    slider(words.top_p, 'p', {min: 0, max: 1, step: 0.01}, (p) => (p < 1 ? p.toFixed(2) : words.all), changed));
  root.append(make('p', {class: 'after'}, `${words.after} `, make('q', {}, visible(value.end).replace(/␣/g, '␣\u200b'))), sliders, live);
  changed();
});
