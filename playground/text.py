"""Every word of the interface, in English and Japanese.

`label(key)` is for widgets: Gradio sends both languages and the browser picks its own. `say(key, language, …)` is for
what the server renders, in the language that `language_of` reads from the browser's request. The settings' words come
from `lm.config` in English and from `playground.text_settings` in Japanese. What `lm` itself says (errors, recipes,
the notes of a file) stays in English.
"""

from __future__ import annotations

import functools

import gradio as gr
from gradio.i18n import I18nData

from lm.config import DataConfig, ModelConfig, SampleConfig, TrainConfig, settings
from playground.text_settings import GROUPS, SETTINGS

LANGUAGES = ("en", "ja")
CONFIGS = (DataConfig, ModelConfig, TrainConfig, SampleConfig)

# key: (English, Japanese). Braces are filled by `say`; a widget's text has none.
WORDS = {
    # the frame
    "tab.corpus": ("Corpus", "テキスト"),
    "tab.train": ("Train", "学習"),
    "tab.generate": ("Generate", "生成"),
    "tab.share": ("Share", "共有"),
    "library.title": ("Library", "ライブラリ"),
    "library.new": ("New run", "新しい学習"),
    "library.empty": (
        "Every model you train appears here, and stays.",
        "学習したモデルはここに並び、消えずに残ります。",
    ),
    "header.library": ("Show or hide the library", "ライブラリの表示を切り替える"),
    "header.dark": ("Light or dark", "明るい画面・暗い画面"),
    "status.idle": ("Nothing is running", "実行中の学習はありません"),
    "status.memory": ("memory {used} of {total} GB", "メモリ {used} / {total} GB"),
    "status.step": ("step {step}", "ステップ {step}"),
    "status.step_of": ("step {step} / {steps}", "ステップ {step} / {steps}"),
    "status.left": ("{time} left", "残り {time}"),
    "status.more": ("and {n} more", "ほか {n} 件"),
    # states of a run
    "state.starting": ("starting", "準備中"),
    "state.running": ("training", "学習中"),
    "state.finished": ("finished", "完了"),
    "state.stopped": ("stopped", "停止"),
    "state.failed": ("failed", "失敗"),
    "state.dead": ("interrupted", "中断"),
    "library.best_at": ("best at {step}", "最良 {step}"),
    "library.bits": ("Best bits per byte on unseen text", "未見テキストでの最良のビット/バイト"),
    # the corpus tab
    "corpus.way.files": ("Files", "ファイル"),
    "corpus.way.paste": ("Paste", "貼り付け"),
    "corpus.way.sample": ("Samples", "見本"),
    "corpus.files": ("Text files", "テキストファイル"),
    "corpus.formats": (
        "One or more of .txt .md .csv .tsv .jsonl .html, in any common encoding.",
        ".txt .md .csv .tsv .jsonl .html を一つ以上。文字コードは自動で判別します。",
    ),
    "corpus.paste": ("Paste text", "テキストを貼り付ける"),
    "corpus.paste_here": ("Once upon a time …", "むかしむかし……"),
    "corpus.read": ("Read this text", "このテキストを読み込む"),
    "corpus.sample": ("Sample text", "見本テキスト"),
    "corpus.sample_info": (
        "The tales are part of this program; the classics are downloaded once.",
        "「tales」は同梱されています。名作は初回だけダウンロードします。",
    ),
    "corpus.take": ("Use this sample", "この見本を使う"),
    "corpus.reading": ("How to read them", "読み方"),
    "corpus.known": ("Texts you have read", "読み込んだテキスト"),
    "corpus.known_info": ("The chosen one is what the next run learns from.", "選んだものが次の学習に使われます。"),
    "corpus.no_files": (
        "No file was chosen; drop one or more text files into the box first.",
        "ファイルが選ばれていません。枠にテキストファイルを入れてください。",
    ),
    "corpus.no_paste": (
        "There is nothing to read; paste some text into the box first.",
        "読み込む文がありません。枠にテキストを貼り付けてください。",
    ),
    "corpus.characters": ("characters", "文字数"),
    "corpus.distinct": ("distinct characters", "文字の種類"),
    "corpus.lines": ("lines", "行数"),
    "corpus.duplicates": ("repeated lines", "重複行"),
    "corpus.bytes": ("bytes", "バイト"),
    "corpus.encoding": ("read as {encoding}", "{encoding} として読み込み"),
    "corpus.preview": ("The beginning, as the model will see it", "モデルが見る冒頭"),
    "corpus.fingerprint": ("sha256 {digest}", "sha256 {digest}"),
    "corpus.small": (
        "This text is very short: the model will learn it by heart rather than learn from it. "
        "From about 100,000 characters on, it begins to write things of its own.",
        "とても短いテキストです。モデルは学ぶより先に丸暗記します。10万文字ほどから、自分の言葉を書きはじめます。",
    ),
    "corpus.tokenizers": ("What a tokenizer makes of it", "トークナイザで切ると"),
    "corpus.tokenizers_say": (
        "The model never sees letters, only numbers: one for each piece below.",
        "モデルが見るのは文字ではなく番号です。下の一片ごとに番号が一つ付きます。",
    ),
    "corpus.compare": ("Compare tokenizers", "トークナイザを比べる"),
    "corpus.bpe_size": ("Vocabulary of bpe", "bpe の語彙数"),
    "corpus.tokens": ("tokens", "トークン数"),
    "corpus.per_token": ("tokens per character", "トークン/文字"),
    "corpus.vocabulary": ("vocabulary", "語彙数"),
    "corpus.cut": ("the beginning, cut", "冒頭の切れ方"),
    "corpus.measured": (
        "Measured on the first {n} characters.",
        "冒頭の {n} 文字で測りました。",
    ),
    # the train tab
    "train.recipe": ("Recipe", "レシピ"),
    "train.name": ("Name of the run", "学習の名前"),
    "train.name_info": ("Left empty, it is made from text and recipe.", "空のままなら、テキストとレシピから作ります。"),
    "train.corpus": ("Text", "テキスト"),
    "train.corpus_size": ("{n} characters", "{n} 文字"),
    "train.no_corpus": (
        "There is no text yet; read one on the Corpus tab first.",
        "テキストがまだありません。先に「テキスト」タブで読み込んでください。",
    ),
    "train.go": ("Train", "学習をはじめる"),
    "train.stop": ("Stop and keep the best", "停止して最良を残す"),
    "train.resume": ("Resume", "続きから再開"),
    "train.settings": ("All settings", "すべての設定"),
    "train.command": ("The same on the command line", "同じことをコマンドで"),
    "train.log": ("Log", "ログ"),
    "train.validation": ("validation, nats", "検証損失 (nat)"),
    "train.bits": ("bits per byte", "ビット/バイト"),
    "train.speed": ("tokens / s", "トークン/秒"),
    "train.left": ("left", "残り"),
    "train.took": ("took", "所要時間"),
    "train.sample": ("What it writes at step {step}", "ステップ {step} で書いた文"),
    "train.sample_none": ("What it writes", "書いた文"),
    "train.sample_empty": (
        "At each measurement the model continues the same prompt; you can watch gibberish turn into language here.",
        "測定のたびに、同じ書き出しの続きを書きます。でたらめが言葉になっていく様子が見えます。",
    ),
    "train.say.new": (
        "Press Train: the curve begins to fall within seconds, and the first words appear within a minute.",
        "「学習をはじめる」を押すと、数秒で曲線が下がりはじめ、1分ほどで最初の言葉が現れます。",
    ),
    "train.say.starting": (
        "Getting ready: the text is being cut into tokens and the model is being built.",
        "準備中です。テキストをトークンに切り、モデルを組み立てています。",
    ),
    "train.say.running": (
        "Blue is the text it learns from, red the text it has never seen. While red falls, it is learning to write.",
        "青は学習中のテキスト、赤は一度も見せていないテキストです。赤が下がるあいだは、書く力が育っています。",
    ),
    "train.say.parted": (
        "Red has not fallen since step {step} while blue goes on: it begins to learn your text by heart. "
        "You can stop; step {step} is kept.",
        "ステップ {step} から赤が下がらず、青だけが下がっています。丸暗記がはじまりました。"
        "停止してかまいません。ステップ {step} が残ります。",
    ),
    "train.say.finished": (
        "Done. The best model, of step {step}, waits on the Generate tab.",
        "完了しました。最良のモデル(ステップ {step})は「生成」タブで使えます。",
    ),
    "train.say.finished_bare": (
        "Done. The model waits on the Generate tab.",
        "完了しました。モデルは「生成」タブで使えます。",
    ),
    "train.say.stopped": (
        "Stopped; everything is saved. Resume goes on exactly where it ended.",
        "停止しました。すべて保存されています。「続きから再開」で同じ所から続けられます。",
    ),
    "train.say.stopping": (
        "Stopping: it finishes its step and saves.",
        "停止しています。今のステップを終えて保存します。",
    ),
    "train.say.dead": (
        "Its process is gone: the machine was switched off, or something ended it. Resume goes on from the last save.",
        "プロセスが途中で終わりました。「続きから再開」で最後の保存から続けられます。",
    ),
    "train.say.failed": ("It could not go on.", "続けられませんでした。"),
    "chart.label": ("Loss over steps", "ステップごとの損失"),
    "chart.train": ("learnt text", "学習テキスト"),
    "chart.validation": ("unseen text", "未見テキスト"),
    "chart.best": ("best", "最良"),
    "chart.step": ("step", "ステップ"),
    "chart.loss": ("loss (nats per token)", "損失 (nat/トークン)"),
    "chart.bits": ("bits per byte", "ビット/バイト"),
    "chart.empty": ("The curve begins here.", "ここに曲線が現れます。"),
    "chart.waiting": ("Waiting for the first step …", "最初のステップを待っています……"),
    # the generate tab
    "generate.checkpoint": ("Model", "モデル"),
    "generate.best": ("best", "最良"),
    "generate.last": ("last", "最新"),
    "generate.prompt": ("Beginning", "書き出し"),
    "generate.prompt_here": ("Write the first words; the model goes on.", "最初の言葉を書くと、モデルが続けます。"),
    "generate.go": ("Write", "書く"),
    "generate.stop": ("Stop", "止める"),
    "generate.more": ("More ways to steer", "さらに細かく"),
    "generate.empty": (
        "What the model writes appears here, letter by letter.",
        "モデルの書く文が、一文字ずつここに現れます。",
    ),
    "generate.no_model": (
        "There is no model yet; train one first: it is ready at its first measurement.",
        "モデルがまだありません。先に学習してください。最初の測定が済むと使えます。",
    ),
    "generate.unknown": (
        "This model has never seen {characters}: it reads an unknown sign instead.",
        "このモデルは {characters} を見たことがありません。未知の記号として読みます。",
    ),
    "generate.rate": (
        "{n} tokens · {rate} tokens / s · seed {seed}",
        "{n} トークン · {rate} トークン/秒 · シード {seed}",
    ),
    "generate.sample": ("Sample {n}", "{n} 本目"),
    "fetch.title": ("From the Hub or a folder", "Hub やフォルダから"),
    "fetch.source": ("Repository, link or folder", "リポジトリ・リンク・フォルダ"),
    "fetch.source_space": ("Repository or link", "リポジトリ・リンク"),
    "fetch.info": (
        "A model of this program, or a small GPT-2 of transformers. Only safetensors are read, never a pickle.",
        "このプログラムのモデルか、transformers の小さな GPT-2。safetensors だけを読み、pickle は読みません。",
    ),
    "fetch.go": ("Fetch", "取り込む"),
    "fetch.arrived": ("It is here and chosen above: press Write.", "取り込みました。上で選んであります。「書く」を押してください。"),
    "fetch.no_source": (
        "Nothing is named; write for example alice/tales, or paste a link to the Hub.",
        "何も書かれていません。たとえば alice/tales と書くか、Hub のリンクを貼ってください。",
    ),
    "fetch.no_folder": (
        "Folders of this machine are read only where the app is yours; name a repository on the Hub instead.",
        "Space ではフォルダを読めません。Hub のリポジトリ名を書いてください。",
    ),
    "transfer.cancelling": ("Cancelling", "取り消しています"),
    "transfer.sizes": ("{done} of {total}", "{total} 中 {done}"),
    # the share tab
    "share.run": ("Run", "学習"),
    "share.hub": (
        "### On the Hugging Face Hub\n\nA page of its own for your model, with a card that tells how it was made. "
        "Anyone can load it in transformers, without code from here.",
        "### Hugging Face Hub で共有\n\nモデルのページができ、作り方を伝えるモデルカードが付きます。"
        "このプログラムがなくても、誰でも transformers で読み込めます。",
    ),
    "share.repo": ("Repository", "リポジトリ"),
    "share.repo_info": ("user/name; pushing there again renews it.", "ユーザー名/名前。もう一度送ると更新します。"),
    "share.which": ("Model", "モデル"),
    "share.which_info": ("Best on unseen text, or the last one.", "未見テキストで最良のもの、または最新のもの。"),
    "share.license": ("Licence", "ライセンス"),
    "share.license_info": ("What others may do with the model.", "モデルを他の人がどう使えるか。"),
    "share.languages": ("Language of the text", "テキストの言語"),
    "share.languages_info": ("Others find it by this.", "検索の手がかりになります。"),
    "share.private": ("Private", "非公開"),
    "share.private_info": ("Only you can see it.", "自分だけが見られます。"),
    "share.with_corpus": ("Send the text along", "テキストも送る"),
    "share.with_corpus_info": (
        "Only if you have the right to publish it: the model's licence is not a licence of the text.",
        "公開する権利のあるテキストに限ります。モデルのライセンスはテキストには及びません。",
    ),
    "share.token": ("Access token", "アクセストークン"),
    "share.token_info": (
        "With write permission, from huggingface.co/settings/tokens. Used for the next press, then forgotten. "
        "To be asked no more: hf auth login",
        "書き込み権限のあるもの(huggingface.co/settings/tokens)。次の一回だけ使い、すぐに忘れます。"
        "毎回の入力を省くには hf auth login を。",
    ),
    "share.sign_in_first": (
        "Sign in with Hugging Face first: what you push becomes yours.",
        "先に Hugging Face にサインインしてください。送ったものはあなたのものになります。",
    ),
    "share.push": ("Push to the Hub", "Hub に送る"),
    "share.preview": ("Preview the card", "カードを見る"),
    "share.cancel": ("Cancel", "取り消す"),
    "share.pushed": ("It is on the Hub; {who} can open this link:", "Hub に送りました。このリンクは{who}開けます。"),
    "share.unchanged": (
        "Nothing had changed since the last push; {who} can open this link:",
        "前回から変わっていません。このリンクは{who}開けます。",
    ),
    "share.everyone": ("everyone", "誰でも"),
    "share.only_you": ("only you", "あなただけが"),
    "share.demo": ("Publish a demo Space", "デモの Space を公開"),
    "share.published": (
        "The demo is being built; in a few minutes it runs at this link:",
        "デモを組み立てています。数分でこのリンクから使えます。",
    ),
    "share.card": (
        "### Model card\n\nThe page that others see first. What you edit is pushed as it stands.",
        "### モデルカード\n\n最初に見られるページです。書き直した内容がそのまま送られます。",
    ),
    "share.card_look": ("As it will look", "見た目"),
    "share.card_edit": ("Edit", "書き直す"),
    "share.along": ("### Take it along", "### 持ち出す"),
    "share.report": ("Make a report", "レポートを作る"),
    "share.zip": ("Make a zip", "zip を作る"),
    "share.download": ("Download", "ダウンロード"),
    "share.folder": ("Name of the folder", "フォルダ名"),
    "share.folder_info": ("Left empty, it is called like the run.", "空のままなら、学習と同じ名前になります。"),
    "share.export": ("Export as a folder", "フォルダに書き出す"),
    "share.say": (
        "The best model of the run, whole in one folder: weights, settings and tokenizer. "
        "It opens in transformers without this program.",
        "最良のモデルを、重み・設定・トークナイザごと一つのフォルダにまとめます。"
        "このプログラムがなくても transformers で開けます。",
    ),
    "share.empty": (
        "Nothing to share yet: a run can be taken along from its first measurement on.",
        "まだ共有できるものがありません。最初の測定が済んだ学習から持ち出せます。",
    ),
    "share.inside": ("What is inside", "中身"),
    "share.open": ("Open it in Python", "Python で開く"),
    "share.exported": ("Exported to {path}", "{path} に書き出しました"),
    "share.no_run": ("Choose a run first.", "先に学習を選んでください。"),
    # what can go wrong at the edge
    "error.empty_setting": (
        "{label} is empty; use for example {default}",
        "「{label}」が空です。たとえば {default} にしてください",
    ),
}  # fmt: skip


def label(key: str) -> I18nData:
    """A text that the browser shows in its own language."""
    return I18nData(key)


def say(key: str, language: str, **values: object) -> str:
    """A text in `language`, its braces filled."""
    return _all()[language][key].format(**values)


def translations() -> gr.I18n:
    """Both dictionaries for `launch(i18n=…)`."""
    return gr.I18n(**_all())


def language_of(header: str) -> str:
    """The first language of an Accept-Language header that we speak, else English."""
    for choice in header.split(","):
        spoken = choice.split(";")[0].strip().lower()[:2]
        if spoken in LANGUAGES:
            return spoken
    return "en"


def chart_words(language: str) -> dict[str, str]:
    """The words of the chart, by the names that `assets/chart.js` uses."""
    names = ("label", "train", "validation", "best", "step", "loss", "bits", "empty", "waiting")
    return {name: say(f"chart.{name}", language) for name in names}


def setting_key(config: type, name: str, part: str) -> str:
    """The key of a setting's `label` or `help`."""
    return f"{config.__name__}.{name}.{part}"


def group_key(group: str) -> str:
    return f"group.{group}"


@functools.cache
def _all() -> dict[str, dict[str, str]]:
    return {
        language: {key: pair[side] for key, pair in WORDS.items()} | _setting_words(language)
        for side, language in enumerate(LANGUAGES)
    }


def _setting_words(language: str) -> dict[str, str]:
    """Labels and help of every setting, and the names of their groups."""
    words = {group_key(name): pair[LANGUAGES.index(language)] for name, pair in GROUPS.items()}
    for config in CONFIGS:
        for f in settings(config):
            english = (f.metadata["label"], f.metadata["help"])
            pair = english if language == "en" else SETTINGS[config.__name__][f.name]
            words |= {setting_key(config, f.name, part): word for part, word in zip(("label", "help"), pair)}
    return words
