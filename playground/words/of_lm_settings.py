"""What `lm` says of settings that cannot be or do not fit together, in Japanese: {English template: Japanese}.

`{name:label}` is the Japanese label of a setting beside its name.
"""

ROWS = {
    # ---------------------------------------------------------------------------------------------- lm.settings, lm.config
    "{name}={value} is not {kind}; use for example {example}": (
        "{name:label} = {value} は{kind}ではありません。たとえば {example} にしてください"
    ),
    "a whole number": "整数",
    "a number": "数",
    "true or false": "true か false",
    "a text": "文字列",
    "{name}={value} is unknown; use one of {choices}": (
        "{name:label} に {value} はありません。{choices:list} から選んでください"
    ),
    "{name}={value} is not finite; use for example {example}": (
        "{name:label} = {value} は有限の数ではありません。たとえば {example} にしてください"
    ),
    "{name}={value} is below the least allowed value; use {least} or more": (
        "{name:label} = {value} は小さすぎます。{least} 以上にしてください"
    ),
    "{name}={value} is above the greatest allowed value; use {most} or less": (
        "{name:label} = {value} は大きすぎます。{most} 以下にしてください"
    ),
    "n_embd={width} is not divisible by n_head={heads}; use a multiple of {multiple}, for example {wise}": (
        "「幅」{width} が「ヘッドの数」{heads} で割り切れません。{multiple} の倍数、たとえば {wise} にしてください"
    ),
    "n_embd/n_head={size} is odd, and rotary positions turn pairs; use n_embd={wise}": (
        "「幅」÷「ヘッドの数」が奇数({size})です。回転位置は二つずつ組にするので、「幅」を {wise} にしてください"
    ),
    "n_experts={experts} leaves a router no choice of n_experts_per_token={each}; use n_experts={wise}, or 0": (
        "「エキスパートの数」{experts} では「トークンごとのエキスパート」{each} を選ぶ余地がありません。"
        "「エキスパートの数」を {wise} か 0 にしてください"
    ),
    "n_kv_head={kv} does not divide n_head={heads}; use 1, {same} or a divisor": (
        "「ヘッドの数」{heads} が「キー・バリューのヘッド数」{kv} で割り切れません。1、{same}、またはその約数にしてください"
    ),
    "n_kv_head={kv} needs arch=modern; leave it at 0 for gpt2": (
        "「キー・バリューのヘッド数」{kv} は modern でだけ使えます。gpt2 では 0 にしてください"
    ),
    "logit_softcap={cap} needs arch=modern; leave it at 0 for gpt2": (
        "「ロジットの上限」{cap} は modern でだけ使えます。gpt2 では 0 にしてください"
    ),
    "steps, minutes and epochs are all 0, so the run would never end; set one of them": (
        "「ステップ数」「時間」「エポック数」がどれも 0 で、学習が終わりません。どれか一つを決めてください"
    ),
    "batch_size={batch} is not divisible by grad_accum_steps={parts}; use a divisor of {multiple}": (
        "「バッチサイズ」{batch} が「勾配の累積」{parts} で割り切れません。{multiple} の約数にしてください"
    ),
    "shard=True spreads matrices that optimizer=muon needs whole; use optimizer=adamw": (
        "「分散保持」は行列を分けますが、muon には行列全体が必要です。「最適化手法」を adamw にしてください"
    ),
    "compile=on does not reach into a sharded model; use compile=auto, or shard=False": (
        "「分散保持」のモデルはコンパイルできません。「コンパイル」を auto にするか、「分散保持」をオフにしてください"
    ),
    "stride={stride} needs sampling=epochs; random windows have no stride": (
        "「ストライド」{stride} は「窓の取り方」が epochs のときだけ使えます。random に間隔はありません"
    ),
    # ---------------------------------------------------------------------------------------------- around them
    "recipe={name} is unknown; use one of {names}": (
        "{name} というレシピはありません。{names:list} から選んでください"
    ),
    "device={wanted} is not available here; use {here} or auto": (
        "この計算機で {wanted} は使えません。「装置」を {here} か auto にしてください"
    ),
    "precision=fp16 needs an NVIDIA GPU, and this runs on {device}; use auto or bf16": (
        "fp16 には NVIDIA の GPU が必要ですが、ここでは {device} です。「精度」を auto か bf16 にしてください"
    ),
    "best_in={minutes} minutes cannot be aimed at; use {least} to {most}, for example 5": (
        "{minutes} 分は選べません。{least}〜{most} 分、たとえば 5 分にしてください"
    ),
    "{n} core{s}": "{n}コア",
    "{device} · bf16": "{device} · bf16",
    "shard needs a precision whose gradients need no scaling; use --precision float32": (
        "「分散保持」には勾配の拡大が要らない精度が必要です。「精度」を float32 にしてください"
    ),
    "batch_size={batch} is not divisible by processes={n}; use a multiple of {multiple}": (
        "「バッチサイズ」{batch} がプロセス数 {n} で割り切れません。{multiple} の倍数にしてください"
    ),
    "{name} is too large for settings; use a file that the page or `lm` wrote": (
        "{name} は設定ファイルとしては大きすぎます。この画面か `lm` が書き出したファイルを使ってください"
    ),
    "cannot read {path}: {why}; name a file of settings": (
        "{path} を読めません({why})。設定ファイルを指定してください"
    ),
    "{name} is not JSON; use a file that the page or `lm` wrote": (
        "{name} は JSON ではありません。この画面か `lm` が書き出したファイルを使ってください"
    ),
    "{name} holds no settings: it has none of {parts}; use one that `lm` wrote": (
        "{name} に設定がありません({parts:list} のどれもない)。`lm` が書き出したファイルを使ってください"
    ),
    "{name}: {part}={given} is not a group of settings; use a file that `lm` wrote": (
        "{name} の {part} = {given} は設定のまとまりではありません。`lm` が書き出したファイルを使ってください"
    ),
    " with logit_softcap={cap}": "、logit_softcap={cap}",
    "no class of transformers holds arch={arch} with n_experts={n}{capped}: this model will write here, but can be "
    "neither exported nor shared; for that use {cures}": (
        "arch={arch}、n_experts={n}{capped} の組み合わせに合う transformers のクラスがありません。"
        "ここでは使えますが、書き出しも共有もできません。共有するには {cures:list} にしてください"
    ),
    "vocab_size is not a fork's to choose: it keeps its parent's tokenizer; start a new run instead": (
        "枝分かれでは「語彙数」を変えられません(元のトークナイザを使います)。新しい学習としてはじめてください"
    ),
    "{name}={value} does not fit the weights, which have {same}={own}; leave it out": (
        "{name:label} = {value} は重みと合いません(重みでは {own})。指定を外してください"
    ),
    "block_size={size} is more than the weights hold; use {most} or less": (
        "「文脈長」{size} は重みの上限を超えています。{most} 以下にしてください"
    ),
    "{name}={value} is not yours to choose: the weights bring their tokenizer": (
        "{name:label} = {value} は選べません。重みに付いているトークナイザを使います"
    ),
    "--init-from {folder}: {faults}": "{folder} の重みからははじめられません: {faults}",
    "{folder} has {n} embeddings for a tokenizer of {ids} ids; put the tokenizer.json that its model was trained with "
    "there": (
        "{folder} の埋め込みは {n} 個ですが、トークナイザの番号は {ids} 個です。"
        "そのモデルの学習に使った tokenizer.json を置いてください"
    ),
}
