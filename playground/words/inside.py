"""The words of Look inside: of each panel the two sentences that a teacher would say, and what its script writes."""

# key: (English, Japanese). Braces are filled by `text.say`; a widget's text has none.
WORDS = {
    "tab.inside": ("Look inside", "中を見る"),
    "inside.text": ("Text to look at", "調べる文"),
    "inside.text_here": (
        "Write or paste a text; left empty, a passage that the model has never seen is taken.",
        "文を書くか貼り付けてください。空なら、モデルが見たことのない一節を使います。",
    ),
    "inside.go": ("Look", "見る"),
    "inside.unseen": ("A passage it has never seen", "見たことのない一節"),
    "inside.learnt": ("A passage it has learnt", "学習した一節"),
    "inside.no_text": (
        "There is no text to look at; write some into the box.",
        "調べる文がありません。枠に何か書いてください。",
    ),
    "inside.no_passage": (
        "This model came without that text; write a text of your own into the box.",
        "このモデルにはその文が付いていません。枠に自分の文を書いてください。",
    ),
    "inside.no_attention": (
        "A bigram sees one token only and looks back at nothing; choose a model with layers to see attention.",
        "バイグラムは直前の一つしか見ないので、注意機構がありません。層のあるモデルを選んでください。",
    ),
    "inside.surprise": ("Surprise", "驚き"),
    "inside.surprise.teach": (
        "Learning means being surprised less: the loss of a training is nothing but the mean of what is coloured here. "
        "Look where a word begins: its first letter is hard to guess, the others follow almost by themselves.",
        "学習とは、驚きが減ることです。学習の損失は、ここに色で示した値の平均にほかなりません。"
        "語の始まりに注目してください。最初の文字は当てにくく、残りはほとんど自然に続きます。",
    ),
    "inside.next": ("Next token", "次のトークン"),
    "inside.next.teach": (
        "A language model does one thing: it gives every token a probability of coming next; writing is drawing lots. "
        "Move the sliders: temperature sharpens or flattens the odds, top-k and top-p forbid the unlikely.",
        "言語モデルがすることは一つ、次に来る確率をすべてのトークンに与えることです。書くとは、そのくじを引くことです。"
        "つまみを動かしてみてください。温度は確率を尖らせたり均したりし、top-k と top-p は見込みの薄いものを除きます。",
    ),
    "inside.attention": ("Attention", "注意"),
    "inside.attention.teach": (
        "Every token looks back at those before it and takes something from each: the stronger its colour, the more. "
        "Point at a token, then try other heads: one looks at the token before, another for the last time this letter "
        "stood there.",
        "どのトークンも前のトークンを振り返り、それぞれから何かを受け取ります。色が濃いほど多く受け取っています。"
        "トークンを指してから、別のヘッドも試してください。直前を見るヘッドも、同じ文字が前に出た所を探すヘッドもあります。",
    ),
    "inside.embeddings": ("Embeddings", "埋め込み"),
    "inside.embeddings.teach": (
        "Each token is a point in a space of many dimensions; at first they lie anywhere, and training moves together "
        "what is used alike. Press play, then look for the vowels, the capitals and the punctuation.",
        "どのトークンも多次元空間の一点です。初めはばらばらで、学習が、使われ方の似たものを近づけていきます。"
        "再生してから、仮名や漢字、句読点がどこに集まるかを探してみてください。",
    ),
    "inside.tokens": ("Tokens", "トークン"),
    "inside.tokens.teach": (
        "Byte pairs begin with single bytes and merge the most frequent neighbours, over and over: move the slider and "
        "watch words form. A larger vocabulary makes the text shorter, and every one of its tokens costs a row of weights.",
        "バイト対は1バイトずつから始め、最もよく隣り合う二つを何度もつなぎます。つまみを動かすと語ができていきます。"
        "語彙を大きくすると文は短くなりますが、トークン一つごとに重みが一行ずつ必要になります。",
    ),
    "inside.pairs": ("x and y", "x と y"),
    "inside.pairs.teach": (
        "Nobody writes exercises for a language model: y is x, one token later, so every text is its own answer sheet. "
        "A window of T tokens holds T questions, from one token of context to T.",
        "言語モデルの練習問題は、誰も作りません。y は x を一つずらしたもので、文そのものが解答になります。"
        "T トークンの窓には、文脈の長さが 1 から T までの T 個の問題が入っています。",
    ),
    "inside.stage.first": ("before training", "学習前"),
    "inside.stage.best": ("best", "最良"),
    "inside.stage.last": ("last", "最新"),
    "inside.stage.fetched": ("as fetched", "取り込んだまま"),
    "insight.surprise.legend": ("How surprising each character was", "各文字の驚きの大きさ"),
    "insight.surprise.hint": (
        "Point at a character to see how surprising it was.",
        "文字を指すと、その驚きの大きさが出ます。",
    ),
    "insight.surprise.expected": ("expected", "予想どおり"),
    "insight.surprise.surprising": ("surprising", "意外"),
    "insight.surprise.nats": ("nats", "nat"),
    "insight.surprise.odds": ("probability", "確率"),
    "insight.surprise.tokens": ("tokens", "トークン"),
    "insight.surprise.first": ("nothing came before it", "前に何もない文字"),
    "insight.surprise.hardest": ("The hardest passages, in nats per character", "最も難しい箇所(nat/文字)"),
    "insight.surprise.bits": ("bits per byte over this text", "ビット/バイト(この文)"),
    "insight.surprise.map": ("The text, character by character; arrow keys move", "文を一文字ずつ。矢印キーで移動"),
    "insight.next.after": ("After", "この後に"),
    "insight.next.temperature": ("Temperature τ", "温度 τ"),
    "insight.next.top_k": ("Top-k", "Top-k"),
    "insight.next.top_p": ("Top-p", "Top-p"),
    "insight.next.all": ("all", "すべて"),
    "insight.next.bars": ("What comes next", "次に来るもの"),
    "insight.next.own": ("as the model has it", "モデルそのまま"),
    "insight.next.used": ("with these settings", "この設定で"),
    "insight.next.settings": ("settings", "設定後"),
    "insight.next.model": ("model", "モデル"),
    "insight.next.cut": ("left out", "除外"),
    "insight.next.heat": (
        "What temperature does: each curve is one token's probability",
        "温度の働き：曲線は一つのトークンの確率",
    ),
    "insight.next.choices": ("choices, in effect", "実質の選択肢"),
    "insight.next.take": ("append to the text", "文に付け足す"),
    "insight.next.as_table": ("As a table", "表で見る"),
    "insight.next.token": ("token", "トークン"),
    "insight.next.rest": ("all others together", "ほかすべて"),
    "insight.attention.text": ("The text; arrow keys move", "文。矢印キーで移動"),
    "insight.attention.layer": ("layer", "層"),
    "insight.attention.head": ("head", "ヘッド"),
    "insight.attention.mean": ("mean of all heads", "全ヘッドの平均"),
    "insight.attention.looks": ("looks back at", "が見ているもの"),
    "insight.attention.at": ("position", "位置"),
    "insight.attention.as_table": ("As a table", "表で見る"),
    "insight.attention.token": ("token", "トークン"),
    "insight.attention.share": ("share", "割合"),
    "insight.attention.beginning": (
        "Drawn here: the first {n} {n:character|characters} of the text; {tokens} {tokens:token|tokens} fit.",
        "ここに示すのは、文の冒頭 {n} 文字({tokens} トークン)までです。",
    ),
    "insight.attention.grid": ("Layers and heads: choose one", "層とヘッド：一つ選ぶ"),
    "insight.embeddings.map": ("Map of the tokens", "トークンの地図"),
    "insight.embeddings.hint": (
        "Point at a token to see which are most like it.",
        "トークンを指すと、よく似たものが出ます。",
    ),
    "insight.embeddings.near": ("most alike", "似ているもの"),
    "insight.embeddings.step": ("step", "ステップ"),
    "insight.embeddings.play": ("Play", "再生"),
    "insight.embeddings.pause": ("Pause", "一時停止"),
    "insight.embeddings.explained": (
        "of what differs between the tokens is seen on these two axes, those along which the last map varies most",
        "の違いが、この二軸(最後の地図が最も広がる向き)に現れています",
    ),
    "insight.embeddings.as_table": ("As a table", "表で見る"),
    "insight.embeddings.token": ("token", "トークン"),
    "insight.embeddings.stages": ("Go through the training", "学習をたどる"),
    "insight.tokens.merges": ("Merges learnt", "学んだ結合"),
    "insight.tokens.step": ("Merge", "結合"),
    "insight.tokens.none": ("single bytes", "1バイトずつ"),
    "insight.tokens.cut": ("The text, cut into tokens", "トークンに切った文"),
    "insight.tokens.learnt": ("merge number #", "# 番目の結合"),
    "insight.tokens.size": ("What a vocabulary costs on this text", "この文での語彙の代償"),
    "insight.tokens.vocabulary": ("vocabulary", "語彙数"),
    "insight.tokens.tokens": ("tokens", "トークン数"),
    "insight.tokens.per_token": ("bytes per token", "バイト/トークン"),
    "insight.tokens.parameters": ("parameters", "パラメータ"),
    "insight.tokens.char": ("characters", "文字"),
    "insight.tokens.bpe": ("byte pairs", "バイト対"),
    "insight.pairs.x": ("x, what is read", "x(読むもの)"),
    "insight.pairs.y": ("y, the right answers", "y(正解)"),
    "insight.pairs.window": (
        "Each column is one exercise. The model reads this many at once:",
        "列の一つが一問です。モデルが一度に読む数:",
    ),
    "insight.pairs.question": ("After", "この後は"),
    "insight.pairs.answer": ("comes", "次は"),
    "insight.pairs.odds": ("how likely the model found the answer", "モデルが見込んだ正解の確率"),
}
