"""What `lm` says of texts, files, encodings and tokenizers, in Japanese: {English template: Japanese}."""

ROWS = {
    # ---------------------------------------------------------------------------------------------- lm.corpus, lm.texts
    "no file was given; name one or more text files, for example --data story.txt": (
        "ファイルが指定されていません。テキストファイルを一つ以上指定してください(例: --data story.txt)"
    ),
    "{files} holds nothing but white space; choose a file with text in it": (
        "{files} には空白しかありません。文章の入ったファイルを選んでください"
    ),
    "cannot write {path}: {why}; choose another place": ("{path} に書き込めません({why})。別の場所を選んでください"),
    "the disk is full: {done} MB of {path} were written and {free} MB are free; "
    "free some space or choose another place, then try again": (
        "ディスクがいっぱいです。{path} を {done} MB まで書きましたが、空きは {free} MB です。"
        "空きを作るか別の場所を選んで、もう一度お試しください"
    ),
    "there is no file and no sample text {name}; the sample texts are {names}": (
        "{name} というファイルも見本テキストもありません。見本テキストは {names:list} です"
    ),
    "the sample text {name} is missing ({path}); install LM Playground again": (
        "見本テキスト {name} が見つかりません({path})。LM Playground を入れ直してください"
    ),
    "what {url} holds today is not the text {name} that is known here (sha256 {found}, expected {known}), so it was "
    "not kept; to use it anyway, save it yourself and name the file": (
        "{url} の内容が、ここで知っている {name} と違うため保存しませんでした(sha256 は {found}、期待値は {known})。"
        "それでも使うには、自分で保存してそのファイルを指定してください"
    ),
    "cannot keep {name} in {folder} ({why}); set LM_PLAYGROUND_CACHE to another folder": (
        "{name} を {folder} に保存できません({why})。LM_PLAYGROUND_CACHE に別のフォルダを指定してください"
    ),
    "cannot fetch the sample text {name} from {url} ({why}); go online and try again, or save that text as {path}, or "
    "use one that needs no network: {names}": (
        "見本テキスト {name} を {url} から取得できません({why})。ネットワークにつないでもう一度試すか、"
        "そのテキストを {path} として保存するか、ネットワークの要らない {names:list} を使ってください"
    ),
    "{url} sends more than {most} bytes, so it is not {name}": (
        "{url} から {most} バイトを超えて届きました。{name} ではありません"
    ),
    "the connection ended after {done} of {total} bytes": "接続が {total} バイト中 {done} バイトで切れました",
    "the archive at {url} does not hold one text file; save it yourself and name the file": (
        "{url} の書庫に、ただ一つのテキストファイルがありません。自分で保存して、そのファイルを指定してください"
    ),
    # ---------------------------------------------------------------------------------------------- lm.encodings
    "{name} is empty; choose a file with text in it": "{name} は空です。文章の入ったファイルを選んでください",
    "{name} is not text ({kind}); use {cure} instead": (
        "{name} はテキストではありません({kind})。代わりに{cure}を使ってください"
    ),
    "{name} is not text (binary data); use a text file, or one saved as UTF-8 text": (
        "{name} はテキストではありません(バイナリデータ)。テキストファイルか、UTF-8 で保存したものを使ってください"
    ),
    "there is no file {path}; check the name, or give the whole path": (
        "{path} というファイルはありません。名前を確かめるか、絶対パスで指定してください"
    ),
    "{path} is a folder; name the files in it": "{path} はフォルダです。中のファイルを指定してください",
    "{path} is a device, not a file; save its text to a file first": (
        "{path} はファイルではなくデバイスです。先に文章をファイルに保存してください"
    ),
    "cannot read {path}: {why}; check its name and who may read it": (
        "{path} を読めません({why})。名前と読み取り権限を確かめてください"
    ),
    "PNG image": "PNG 画像",
    "JPEG image": "JPEG 画像",
    "GIF image": "GIF 画像",
    "PDF document": "PDF 文書",
    "ZIP archive, or Office or EPUB document": "ZIP 書庫、または Office や EPUB の文書",
    "old Office document": "古い Office 文書",
    "RTF document": "RTF 文書",
    "gzip archive": "gzip 書庫",
    "bzip2 archive": "bzip2 書庫",
    "xz archive": "xz 書庫",
    "7z archive": "7z 書庫",
    "MP3 file": "MP3 ファイル",
    "program": "プログラム",
    "SQLite database": "SQLite データベース",
    "Parquet table": "Parquet の表",
    "a text file": "テキストファイル",
    "the text that a PDF reader saves or copies from it": "PDF リーダーで保存またはコピーした文章",
    "its text, unpacked or saved as plain text": "展開するか、プレーンテキストで保存したもの",
    "its text, saved as plain text": "プレーンテキストで保存したもの",
    "the file unpacked from it": "展開したファイル",
    "a table saved as .csv": ".csv で保存した表",
    "the table saved as .csv or .jsonl": ".csv か .jsonl で保存した表",
    "UTF-8 with byte order mark": "UTF-8(BOM 付き)",
    "UTF-16 without byte order mark": "UTF-16(BOM なし)",
    "UTF-8, damaged": "UTF-8(破損あり)",
    "Latin-1 (Windows-1252)": "Latin-1(Windows-1252)",
    "Windows-1251 (Cyrillic)": "Windows-1251(キリル文字)",
    "KOI8-R (Cyrillic)": "KOI8-R(キリル文字)",
    "GB18030 (Chinese)": "GB18030(中国語)",
    "Big5 (Chinese)": "Big5(中国語)",
    "EUC-KR (Korean)": "EUC-KR(韓国語)",
    "JIS (ISO-2022-JP)": "JIS(ISO-2022-JP)",
    "encoding guessed from the bytes; if the text looks wrong, save the file as UTF-8": (
        "文字コードは推定です。文字化けしていたら、UTF-8 で保存し直してください"
    ),
    "CRLF line ends became LF": "改行を CRLF から LF にしました",
    "CR line ends became LF": "改行を CR から LF にしました",
    "{n} unreadable character{s} became �": "読めない {n} 文字を � に置き換えました",
    "{n} NUL character{s} removed": "NUL 文字を {n} 個取り除きました",
    # ---------------------------------------------------------------------------------------------- lm.markup
    "{name} has a row, record or line of more than {most} characters, which is read whole; save its text as .txt, "
    "which is read bit by bit, with --aozora no": (
        "{name} に {most} 文字を超える行またはレコードがあり、まるごと読み込めません。"
        "少しずつ読める .txt で保存し、青空文庫の整形を no にしてください"
    ),
    "{name} has more than {most} columns; save its text as .txt": (
        "{name} には {most} を超える列があります。文章を .txt で保存してください"
    ),
    "{name} is no readable table ({why}); save it again as .csv": (
        "{name} は表として読めません({why})。.csv で保存し直してください"
    ),
    "{n} record{s} without text skipped": "本文のない {n} 件を飛ばしました",
    "line {n} of {name}": "{name} の {n} 行目",
    "value {n} of {name}": "{name} の {n} 番目の値",
    "a comma or ] is missing": "コンマか ] がありません",
    "{place} is not JSON ({why}): {found}; mend it, or rename the file to .txt": (
        "{place}が JSON ではありません({why}): {found}。直すか、拡張子を .txt に変えてください"
    ),
    "{name} has no {kind} {wanted}; choose one of {listed}": (
        "{name} に{kind:word} {wanted} はありません。{listed:list} から選んでください"
    ),
    "none: it is empty": "(空で、何もありません)",
    "{name} has {n} {kind}s, {many} of them plainly text: choose one with --column; there are {listed}": (
        "{name} には{kind:word}が {n} 個あり、本文らしいものが{many:word}。"
        "「列・フィールド」(--column)で選んでください。あるのは {listed:list} です"
    ),
    "{kind} {name} chosen": "{kind:word} {name} を選びました",
    "Aozora Bunko notation cleaned: {listed}": "青空文庫の注記を整形しました: {listed:list}",
    "none found": "見つかりませんでした",
    # ---------------------------------------------------------------------------------------------- tokenizers, batches
    "{path} is damaged: it does not hold ids below {most} alone; make the run again from its text": (
        "{path} が壊れています。{most} 以上の番号が含まれています。テキストから学習し直してください"
    ),
    "use block_size={wise} or less, ": "「文脈長」を {wise} 以下にするか、",
    ", or hold out less (val_fraction)": "。「取り置く割合」を減らす手もあります",
    "the training text has {n} of the {need} tokens that one window of block_size={size} needs; "
    "{shorter}add more text{less}": (
        "学習テキストは {n} トークンですが、「文脈長」{size} の窓一つに {need} トークン必要です。{shorter}"
        "テキストを増やしてください{less}"
    ),
    "the held-out text has 1 token and measuring needs 2; add more text, raise val_fraction, or set val_fraction=0 to "
    "train without measuring": (
        "取り置いたテキストは1トークンですが、測定には2トークン必要です。テキストを増やすか、「取り置く割合」を上げるか、"
        "0 にして測定なしで学習してください"
    ),
    "the tokenizer of {path} does not give a text back: its pattern is none that tiktoken can use; take the "
    "tokenizer.json of a run, of an exported model or of GPT-2": (
        "{path} のトークナイザでは文が元に戻りません。tiktoken では使えない区切り方です。学習や書き出したモデル、"
        "または GPT-2 の tokenizer.json を使ってください"
    ),
    "the vocabulary {name} is not in tiktoken's cache ({cache}) and could not be downloaded from "
    "openaipublic.blob.core.windows.net ({why}); go online once, or set TIKTOKEN_CACHE_DIR to a filled cache, or use "
    "tokenizer=bpe or char, which need no download": (
        "語彙 {name} が tiktoken のキャッシュ({cache})になく、openaipublic.blob.core.windows.net からも"
        "ダウンロードできませんでした({why})。一度ネットワークにつなぐか、TIKTOKEN_CACHE_DIR に用意済みのキャッシュを指定するか、"
        "ダウンロードの要らない bpe か char を選んでください"
    ),
    "TIKTOKEN_CACHE_DIR is not set": "TIKTOKEN_CACHE_DIR は未設定",
    "{path} is a tokenizer of another kind than LM Playground knows (characters, or byte-level BPE as GPT-2 has it); "
    "use the tokenizer.json of a run, of an exported model or of GPT-2": (
        "{path} は LM Playground の知らない種類のトークナイザです(使えるのは文字単位か、GPT-2 式のバイト BPE)。"
        "学習や書き出したモデル、または GPT-2 の tokenizer.json を使ってください"
    ),
    "{fault}; every run and exported model has one": "{fault}。学習や書き出したモデルには必ずあるファイルです",
    "{path} holds no tokenizer; use the tokenizer.json of a run or of an exported model": (
        "{path} はトークナイザではありません。学習または書き出したモデルの tokenizer.json を使ってください"
    ),
    "this model came without the text it was trained on, so no byte pairs can be learnt from it": (
        "このモデルには学習テキストが付いていないので、バイト対を学べません"
    ),
    "{name} came without the text it was trained on, so what it recites cannot be looked up": (
        "{name} には学習テキストが付いていないので、暗唱かどうかは調べられません"
    ),
    # ---------------------------------------------------------------------------------------------- sample texts' titles
    "Short tales of one small world": "小さな世界の短いお話(英語)",
    "Tiny Shakespeare (40,000 lines, as in char-rnn and nanoGPT)": (
        "Tiny Shakespeare(4万行。char-rnn や nanoGPT と同じ)"
    ),
    "Edith Wharton, The Verdict (as in Build a Large Language Model From Scratch)": (
        "イーディス・ウォートン「The Verdict」(書籍『Build a Large Language Model From Scratch』と同じ)"
    ),
    "A sales textbook (as in Transformer-from-scratch, chapter 19)": (
        "営業の教科書(Transformer from scratch 第19章と同じ)"
    ),
}

# What single words mean in holes that ask for them, `{kind:word}`, and in lists of counts, `{listed:list}`.
SINGLE = {
    "column": "列",
    "field": "フィールド",
    "several": "複数あります",
    "none": "ありません",
    "legend": "凡例",
    "colophon": "奥付",
    "ruby": "ルビ",
    "notes": "注記",
    "rare characters restored": "復元した外字",
}
