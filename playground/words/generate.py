"""The words of the Generate tab and of fetching a model."""

# key: (English, Japanese). Braces are filled by `text.say`; a widget's text has none.
WORDS = {
    "generate.checkpoint": ("Model", "モデル"),
    "generate.best": ("best", "最良"),
    "generate.last": ("last", "最新"),
    "generate.prompt": ("Beginning", "書き出し"),
    "generate.prompt_here": ("Write the first words; the model goes on.", "最初の言葉を書くと、モデルが続けます。"),
    "generate.go": ("Write", "書く"),
    "generate.stop": ("Stop", "止める"),
    "generate.more": ("More ways to steer", "さらに細かく"),
    "generate.no_model": (
        "There is no model yet; train one first: it is ready at its first measurement.",
        "モデルがまだありません。先に学習してください。最初の測定が済むと使えます。",
    ),
    "generate.unknown": (
        "This model has never seen {characters}: it reads an unknown sign instead.",
        "このモデルは {characters} を見たことがありません。未知の記号として読みます。",
    ),
    "generate.rate": (
        "{n} {n:token|tokens} · {rate} tokens / s · seed {seed}",
        "{n} トークン · {rate} トークン/秒 · シード {seed}",
    ),
    "generate.seed": ("{n} {n:token|tokens} · seed {seed}", "{n} トークン · シード {seed}"),
    "generate.preset": ("Manner", "書きぶり"),
    "generate.preset.careful": ("careful", "手堅く"),
    "generate.preset.balanced": ("balanced", "標準"),
    "generate.preset.wild": ("wild", "奔放に"),
    "generate.preset.greedy": ("greedy", "最有力のみ"),
    "generate.go_on": ("Go on", "続ける"),
    "generate.again": ("Another seed", "別のシードで"),
    "generate.undo": ("Undo", "元に戻す"),
    "generate.no_past": (
        "There is nothing to take back; what you write next can be undone.",
        "戻せるものがありません。次に書いたものから元に戻せます。",
    ),
    "generate.nothing_yet": (
        "There is no text to go on from; press Write first.",
        "続きを書く文がまだありません。先に「書く」を押してください。",
    ),
    "generate.gone": (
        "This text is no longer known here, as after a reload; press Write to write it again.",
        "再読み込みなどで、この文はもう残っていません。「書く」でもう一度書けます。",
    ),
    "generate.bent": (
        "A token was chosen by hand, or the settings were changed on the way, so no seed alone writes this text; undo that "
        "to see its command.",
        "トークンを手で選んだか、途中で設定を変えた文なので、シードだけでは再現できません。元に戻すとコマンドが出ます。",
    ),
    "written.tokens": (
        "The text, token by token: arrow keys move, Enter shows the alternatives",
        "文をトークンごとに。矢印キーで移動、Enter で候補",
    ),
    "written.alternatives": (
        "What could stand here. Choose one: the text grows anew from it.",
        "ここに入る可能性のあったトークン。選ぶと、そこから書き直します。",
    ),
    "written.chosen": ("stands here", "ここにある"),
    "written.drawn": ("with your settings", "今の設定で"),
    "written.own": ("as the model has it", "モデルそのまま"),
    "written.copied": ("In the training text:", "学習テキストの"),
    "written.empty": (
        "What the model writes appears here, letter by letter. Then click any letter or word to see what else could "
        "have stood there.",
        "モデルの書く文が、一文字ずつここに現れます。書けたら文字や語を押すと、ほかの候補が見えます。",
    ),
    "written.left": (
        "This stood here before the page was reloaded. It can be read and copied; press Write to write anew.",
        "再読み込みの前に書かれていた文です。読んだりコピーしたりできます。「書く」で新しく書けます。",
    ),
    "written.broken": (
        "The page was reloaded while this was being written, so it ends here. Press Write to write it anew.",
        "書いている途中で再読み込みされたため、文はここまでです。「書く」でもう一度書けます。",
    ),
    "written.sample": ("Sample", "見本"),
    "written.place": (
        "line {line}, character {column} · in {times} {times:place|places}",
        "{line} 行目 {column} 文字目 · {times} か所",
    ),
    "meter.none": (
        "Nothing here stands word for word in the training text ({least} or more): these are the model's own sentences.",
        "{least}以上そのまま学習テキストにある部分はありません。モデル自身の文です。",
    ),
    "meter.characters": ("{n} characters", "{n}文字"),
    "meter.tokens": ("{n} characters or {tokens} tokens", "{n}文字または{tokens}トークン"),
    "meter.some": (
        "{share} of this stands word for word in the training text, in {n} {n:passage|passages}: there the model recites.",
        "このうち {share} は、学習テキストにそのままあります({n} か所)。そこは暗唱です。",
    ),
    "meter.is_cut": (
        "Compared with the first 16 million characters of that text.",
        "学習テキストの冒頭1600万文字と比べました。",
    ),
    "meter.unknown": (
        "This model came without its training text, so what it recites cannot be looked up.",
        "このモデルには学習テキストが付いていないので、暗唱かどうかは調べられません。",
    ),
    "meter.novelty": (
        "How much is new: runs of so many characters that the training text does not have",
        "新しさ：学習テキストにない、連続する文字の割合",
    ),
    "meter.run": ("{n} characters", "{n} 文字"),
    "trials.grid": ("A range of settings", "設定をいろいろ"),
    "trials.grid_say": (
        "The same beginning, the same seed: only temperature (to the right) and top-k (downwards) differ. "
        "Cold columns repeat themselves, hot ones forget how to spell; a small top-k tames the heat.",
        "同じ書き出し、同じシードで、温度(右へ)と top-k(下へ)だけを変えます。"
        "低温は繰り返し、高温は綴りを忘れます。小さな top-k は熱を抑えます。",
    ),
    "trials.grid_go": ("Write the grid", "表を書く"),
    "trials.all": ("all", "すべて"),
    "trials.pair": ("Two models", "二つのモデル"),
    "trials.pair_say": (
        "The model chosen above and another one go on from the same beginning with the same seed. "
        "Take best and last of one run to see what overfitting sounds like.",
        "上で選んだモデルともう一つが、同じ書き出しと同じシードで続けます。"
        "一つの学習の最良と最新を比べると、過学習の口ぶりがわかります。",
    ),
    "trials.other": ("The other model", "もう一つのモデル"),
    "trials.pair_go": ("Write both", "両方書く"),
    "trials.no_other": (
        "No second model is chosen; take one from the list above.",
        "二つ目のモデルが選ばれていません。上の一覧から選んでください。",
    ),
    "trials.alone": (
        "There is only one model here so far: train a second one, or fetch one under “From the Hub or a folder”.",
        "モデルはまだ一つです。もう一つ学習するか、「Hub やフォルダから」で取り込むと比べられます。",
    ),
    "fetch.title": ("From the Hub or a folder", "Hub やフォルダから"),
    "fetch.source": ("Repository, link or folder", "リポジトリ・リンク・フォルダ"),
    "fetch.source_space": ("Repository or link", "リポジトリ・リンク"),
    "fetch.info": (
        "A model of this program, or a small GPT-2 of transformers. Only safetensors are read, never a pickle.",
        "このプログラムのモデルか、transformers の小さな GPT-2。safetensors だけを読み、pickle は読みません。",
    ),
    "fetch.go": ("Fetch", "取り込む"),
    "fetch.arrived": (
        "It is here and chosen above: press Write.",
        "取り込みました。上で選んであります。「書く」を押してください。",
    ),
    "fetch.no_source": (
        "Nothing is named; write for example alice/tales, or paste a link to the Hub.",
        "何も書かれていません。たとえば alice/tales と書くか、Hub のリンクを貼ってください。",
    ),
    "fetch.no_folder": (
        "Folders of this machine are read only where the app is yours; name a repository on the Hub instead.",
        "Space ではフォルダを読めません。Hub のリポジトリ名を書いてください。",
    ),
}
