"""The words of the Corpus tab."""

# key: (English, Japanese). Braces are filled by `text.say`; a widget's text has none.
WORDS = {
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
        "Measured on the first {n} {n:character|characters}.",
        "冒頭の {n} 文字で測りました。",
    ),
}
