// What Gradio says in English only, said again in the page's language: names of inputs for who hears the page, the
// buttons to sign in and out, and that a file is of no kind that is read, which is said better in English too. The header
// brings pairs of templates, ["Sign out ({x})", "サインアウト({x})"].
let pairs = [], known = ''; // the first header is English: it comes before its reader is known

const again = (said) => {
  for (const [english, ours] of pairs) {
    const [before, after] = english.split('{x}'), words = said.trim();
    if (after === undefined ? words === english : words.startsWith(before) && words.endsWith(after)) {
      return ours.replace('{x}', () => words.slice(before.length, words.length - (after || '').length));
    }
  }
  return said;
};

const sayAgain = (node) => {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.parentElement?.closest('#account, #sign-in, .toast-body') && again(node.data) !== node.data) node.data = again(node.data);
  } else if (node.nodeType === Node.ELEMENT_NODE) {
    const label = node.getAttribute('aria-label');
    if (label && again(label) !== label) node.setAttribute('aria-label', again(label));
    node.childNodes.forEach(sayAgain);
  }
};

const watcher = new MutationObserver((changes) => changes.forEach(({target, addedNodes, type}) => {
  if (type === 'childList') addedNodes.forEach(sayAgain); else sayAgain(target);
}));
const begin = () => {
  const brought = element.querySelector('[data-again]')?.dataset.again;
  if (!brought || brought === known) return;
  known = brought;
  pairs = JSON.parse(brought);
  sayAgain(document.body);
  watcher.observe(document.body, {childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ['aria-label']});
};
new MutationObserver(begin).observe(element, {childList: true, subtree: true, attributeFilter: ['data-again']});
begin();
