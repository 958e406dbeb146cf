// The header, the library and the status bar: clicks become events or switches of the page. Their HTML is replaced
// while they are shown, so one listener stands on the component itself.
const NARROW = '(max-width: 760px)'; // as in style.css: the library is a drawer there
const remembered = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a private window */ } };
const frame = () => element.closest('#frame');

const switches = {
  dark() {
    document.body.classList.toggle('dark');
    remember('lm-dark', document.body.classList.contains('dark') ? '1' : '0');
  },
  library() {
    const {dataset} = frame();
    if (matchMedia(NARROW).matches) {
      dataset.drawer = dataset.drawer === 'open' ? '' : 'open';
    } else {
      dataset.library = dataset.library === 'away' ? '' : 'away';
      remember('lm-library', dataset.library);
    }
  },
};

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.do) switches[button.dataset.do]();
  if (button.dataset.run === undefined) return;
  frame().dataset.drawer = '';
  trigger('select', {run: button.dataset.run});
});

if (element.closest('#header')) {
  const dark = remembered('lm-dark');
  const asked = new URLSearchParams(location.search).has('__theme');
  if (dark !== null && !asked) document.body.classList.toggle('dark', dark === '1');
  frame().dataset.library = remembered('lm-library') || '';
}
