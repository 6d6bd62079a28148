"""The model classes that an archive may name: a closed table, by name.

Each line has a module of `transformers.models`, the class of its configurations, and its models.
What an archive names is looked up here; what is imported is what stands here. A class is added when
its modules were read: they build from the configuration alone, and look nothing up, open nothing
and import nothing that it names. Left out for that: what has other models in it by their type
(AutoModel), backbones of other libraries, kernels of the hub.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_TABLE: Final = """
    albert.albert AlbertConfig: AlbertForMaskedLM AlbertForMultipleChoice AlbertForPreTraining
        AlbertForQuestionAnswering AlbertForSequenceClassification AlbertForTokenClassification
        AlbertModel
    bart.bart BartConfig: BartForCausalLM BartForConditionalGeneration BartForQuestionAnswering
        BartForSequenceClassification BartModel
    beit.beit BeitConfig: BeitBackbone BeitForImageClassification BeitForMaskedImageModeling
        BeitForSemanticSegmentation BeitModel
    bert.bert BertConfig: BertForMaskedLM BertForMultipleChoice BertForNextSentencePrediction
        BertForPreTraining BertForQuestionAnswering BertForSequenceClassification
        BertForTokenClassification BertLMHeadModel BertModel
    big_bird.big_bird BigBirdConfig: BigBirdForCausalLM BigBirdForMaskedLM
        BigBirdForMultipleChoice BigBirdForPreTraining BigBirdForQuestionAnswering
        BigBirdForSequenceClassification BigBirdForTokenClassification BigBirdModel
    blenderbot.blenderbot BlenderbotConfig: BlenderbotForCausalLM
        BlenderbotForConditionalGeneration BlenderbotModel
    blip.blip BlipConfig: BlipForConditionalGeneration BlipForImageTextRetrieval
        BlipForQuestionAnswering BlipModel
    blip.blip BlipVisionConfig: BlipVisionModel
    blip.blip_text BlipTextConfig: BlipTextLMHeadModel BlipTextModel
    bloom.bloom BloomConfig: BloomForCausalLM BloomForQuestionAnswering
        BloomForSequenceClassification BloomForTokenClassification BloomModel
    camembert.camembert CamembertConfig: CamembertForCausalLM CamembertForMaskedLM
        CamembertForMultipleChoice CamembertForQuestionAnswering
        CamembertForSequenceClassification CamembertForTokenClassification CamembertModel
    clip.clip CLIPConfig: CLIPForImageClassification CLIPModel
    clip.clip CLIPTextConfig: CLIPTextModel CLIPTextModelWithProjection
    clip.clip CLIPVisionConfig: CLIPVisionModel CLIPVisionModelWithProjection
    codegen.codegen CodeGenConfig: CodeGenForCausalLM CodeGenModel
    cohere.cohere CohereConfig: CohereForCausalLM CohereModel
    convnext.convnext ConvNextConfig: ConvNextBackbone ConvNextForImageClassification
        ConvNextModel
    data2vec.data2vec_audio Data2VecAudioConfig: Data2VecAudioForAudioFrameClassification
        Data2VecAudioForCTC Data2VecAudioForSequenceClassification Data2VecAudioForXVector
        Data2VecAudioModel
    data2vec.data2vec_text Data2VecTextConfig: Data2VecTextForCausalLM Data2VecTextForMaskedLM
        Data2VecTextForMultipleChoice Data2VecTextForQuestionAnswering
        Data2VecTextForSequenceClassification Data2VecTextForTokenClassification
        Data2VecTextModel
    data2vec.data2vec_vision Data2VecVisionConfig: Data2VecVisionForImageClassification
        Data2VecVisionForSemanticSegmentation Data2VecVisionModel
    deberta.deberta DebertaConfig: DebertaForMaskedLM DebertaForQuestionAnswering
        DebertaForSequenceClassification DebertaForTokenClassification DebertaModel
    deberta_v2.deberta_v2 DebertaV2Config: DebertaV2ForMaskedLM DebertaV2ForMultipleChoice
        DebertaV2ForQuestionAnswering DebertaV2ForSequenceClassification
        DebertaV2ForTokenClassification DebertaV2Model
    deit.deit DeiTConfig: DeiTForImageClassification DeiTForImageClassificationWithTeacher
        DeiTForMaskedImageModeling DeiTModel
    dinov2.dinov2 Dinov2Config: Dinov2Backbone Dinov2ForImageClassification Dinov2Model
    distilbert.distilbert DistilBertConfig: DistilBertForMaskedLM DistilBertForMultipleChoice
        DistilBertForQuestionAnswering DistilBertForSequenceClassification
        DistilBertForTokenClassification DistilBertModel
    electra.electra ElectraConfig: ElectraForCausalLM ElectraForMaskedLM
        ElectraForMultipleChoice ElectraForPreTraining ElectraForQuestionAnswering
        ElectraForSequenceClassification ElectraForTokenClassification ElectraModel
    falcon.falcon FalconConfig: FalconForCausalLM FalconForQuestionAnswering
        FalconForSequenceClassification FalconForTokenClassification FalconModel
    gemma.gemma GemmaConfig: GemmaForCausalLM GemmaForSequenceClassification
        GemmaForTokenClassification GemmaModel
    gemma2.gemma2 Gemma2Config: Gemma2ForCausalLM Gemma2ForSequenceClassification
        Gemma2ForTokenClassification Gemma2Model
    gemma3.gemma3 Gemma3TextConfig: Gemma3ForCausalLM Gemma3TextForSequenceClassification
        Gemma3TextModel
    glm.glm GlmConfig: GlmForCausalLM GlmForSequenceClassification GlmForTokenClassification
        GlmModel
    gpt2.gpt2 GPT2Config: GPT2DoubleHeadsModel GPT2ForQuestionAnswering
        GPT2ForSequenceClassification GPT2ForTokenClassification GPT2LMHeadModel GPT2Model
    gpt_bigcode.gpt_bigcode GPTBigCodeConfig: GPTBigCodeForCausalLM
        GPTBigCodeForSequenceClassification GPTBigCodeForTokenClassification GPTBigCodeModel
    gpt_neo.gpt_neo GPTNeoConfig: GPTNeoForCausalLM GPTNeoForQuestionAnswering
        GPTNeoForSequenceClassification GPTNeoForTokenClassification GPTNeoModel
    gpt_neox.gpt_neox GPTNeoXConfig: GPTNeoXForCausalLM GPTNeoXForQuestionAnswering
        GPTNeoXForSequenceClassification GPTNeoXForTokenClassification GPTNeoXModel
    gpt_oss.gpt_oss GptOssConfig: GptOssForCausalLM GptOssForSequenceClassification
        GptOssForTokenClassification GptOssModel
    gptj.gptj GPTJConfig: GPTJForCausalLM GPTJForQuestionAnswering GPTJForSequenceClassification
        GPTJModel
    granite.granite GraniteConfig: GraniteForCausalLM GraniteModel
    hubert.hubert HubertConfig: HubertForCTC HubertForSequenceClassification HubertModel
    layoutlm.layoutlm LayoutLMConfig: LayoutLMForMaskedLM LayoutLMForQuestionAnswering
        LayoutLMForSequenceClassification LayoutLMForTokenClassification LayoutLMModel
    llama.llama LlamaConfig: LlamaForCausalLM LlamaForQuestionAnswering
        LlamaForSequenceClassification LlamaForTokenClassification LlamaModel
    longformer.longformer LongformerConfig: LongformerForMaskedLM LongformerForMultipleChoice
        LongformerForQuestionAnswering LongformerForSequenceClassification
        LongformerForTokenClassification LongformerModel
    longt5.longt5 LongT5Config: LongT5EncoderModel LongT5ForConditionalGeneration LongT5Model
    m2m_100.m2m_100 M2M100Config: M2M100ForConditionalGeneration M2M100Model
    marian.marian MarianConfig: MarianForCausalLM MarianMTModel MarianModel
    mbart.mbart MBartConfig: MBartForCausalLM MBartForConditionalGeneration
        MBartForQuestionAnswering MBartForSequenceClassification MBartModel
    mistral.mistral MistralConfig: MistralForCausalLM MistralForQuestionAnswering
        MistralForSequenceClassification MistralForTokenClassification MistralModel
    mixtral.mixtral MixtralConfig: MixtralForCausalLM MixtralForQuestionAnswering
        MixtralForSequenceClassification MixtralForTokenClassification MixtralModel
    mobilenet_v2.mobilenet_v2 MobileNetV2Config: MobileNetV2ForImageClassification
        MobileNetV2ForSemanticSegmentation MobileNetV2Model
    modernbert.modernbert ModernBertConfig: ModernBertForMaskedLM ModernBertForMultipleChoice
        ModernBertForQuestionAnswering ModernBertForSequenceClassification
        ModernBertForTokenClassification ModernBertModel
    mpnet.mpnet MPNetConfig: MPNetForMaskedLM MPNetForMultipleChoice MPNetForQuestionAnswering
        MPNetForSequenceClassification MPNetForTokenClassification MPNetModel
    mt5.mt5 MT5Config: MT5EncoderModel MT5ForConditionalGeneration MT5ForQuestionAnswering
        MT5ForSequenceClassification MT5ForTokenClassification MT5Model
    olmo.olmo OlmoConfig: OlmoForCausalLM OlmoForSequenceClassification OlmoModel
    olmo2.olmo2 Olmo2Config: Olmo2ForCausalLM Olmo2ForSequenceClassification Olmo2Model
    opt.opt OPTConfig: OPTForCausalLM OPTForQuestionAnswering OPTForSequenceClassification
        OPTModel
    owlvit.owlvit OwlViTConfig: OwlViTForObjectDetection OwlViTModel
    owlvit.owlvit OwlViTTextConfig: OwlViTTextModel
    owlvit.owlvit OwlViTVisionConfig: OwlViTVisionModel
    pegasus.pegasus PegasusConfig: PegasusForCausalLM PegasusForConditionalGeneration
        PegasusModel
    phi.phi PhiConfig: PhiForCausalLM PhiForSequenceClassification PhiForTokenClassification
        PhiModel
    phi3.phi3 Phi3Config: Phi3ForCausalLM Phi3ForSequenceClassification
        Phi3ForTokenClassification Phi3Model
    qwen2.qwen2 Qwen2Config: Qwen2ForCausalLM Qwen2ForQuestionAnswering
        Qwen2ForSequenceClassification Qwen2ForTokenClassification Qwen2Model
    qwen2_moe.qwen2_moe Qwen2MoeConfig: Qwen2MoeForCausalLM Qwen2MoeForQuestionAnswering
        Qwen2MoeForSequenceClassification Qwen2MoeForTokenClassification Qwen2MoeModel
    qwen3.qwen3 Qwen3Config: Qwen3ForCausalLM Qwen3ForQuestionAnswering
        Qwen3ForSequenceClassification Qwen3ForTokenClassification Qwen3Model
    qwen3_moe.qwen3_moe Qwen3MoeConfig: Qwen3MoeForCausalLM Qwen3MoeForQuestionAnswering
        Qwen3MoeForSequenceClassification Qwen3MoeForTokenClassification Qwen3MoeModel
    resnet.resnet ResNetConfig: ResNetBackbone ResNetForImageClassification ResNetModel
    roberta.roberta RobertaConfig: RobertaForCausalLM RobertaForMaskedLM
        RobertaForMultipleChoice RobertaForQuestionAnswering RobertaForSequenceClassification
        RobertaForTokenClassification RobertaModel
    sam.sam SamConfig: SamModel
    sam.sam SamVisionConfig: SamVisionModel
    segformer.segformer SegformerConfig: SegformerForImageClassification
        SegformerForSemanticSegmentation SegformerModel
    siglip.siglip SiglipConfig: SiglipForImageClassification SiglipModel
    siglip.siglip SiglipTextConfig: SiglipTextModel
    siglip.siglip SiglipVisionConfig: SiglipVisionModel
    smollm3.smollm3 SmolLM3Config: SmolLM3ForCausalLM SmolLM3ForQuestionAnswering
        SmolLM3ForSequenceClassification SmolLM3ForTokenClassification SmolLM3Model
    stablelm.stablelm StableLmConfig: StableLmForCausalLM StableLmForSequenceClassification
        StableLmForTokenClassification StableLmModel
    starcoder2.starcoder2 Starcoder2Config: Starcoder2ForCausalLM
        Starcoder2ForSequenceClassification Starcoder2ForTokenClassification Starcoder2Model
    swin.swin SwinConfig: SwinBackbone SwinForImageClassification SwinForMaskedImageModeling
        SwinModel
    t5.t5 T5Config: T5EncoderModel T5ForConditionalGeneration T5ForQuestionAnswering
        T5ForSequenceClassification T5ForTokenClassification T5Model
    vit.vit ViTConfig: ViTForImageClassification ViTForMaskedImageModeling ViTModel
    vit_mae.vit_mae ViTMAEConfig: ViTMAEForPreTraining ViTMAEModel
    wav2vec2.wav2vec2 Wav2Vec2Config: Wav2Vec2ForAudioFrameClassification Wav2Vec2ForCTC
        Wav2Vec2ForPreTraining Wav2Vec2ForSequenceClassification Wav2Vec2ForXVector
        Wav2Vec2Model
    wavlm.wavlm WavLMConfig: WavLMForAudioFrameClassification WavLMForCTC
        WavLMForSequenceClassification WavLMForXVector WavLMModel
    whisper.whisper WhisperConfig: WhisperForAudioClassification WhisperForCausalLM
        WhisperForConditionalGeneration WhisperModel
    xlm_roberta.xlm_roberta XLMRobertaConfig: XLMRobertaForCausalLM XLMRobertaForMaskedLM
        XLMRobertaForMultipleChoice XLMRobertaForQuestionAnswering
        XLMRobertaForSequenceClassification XLMRobertaForTokenClassification XLMRobertaModel
"""


@dataclass(frozen=True, slots=True)
class ModelClass:
    """A class of models: its module, and the class of its configuration."""

    name: str
    module: str
    config: str


def _parse(table: str) -> dict[str, ModelClass]:
    found = {}
    for line in re.sub(r"\n {8}", " ", table).split("\n"):
        head, _, names = line.strip().partition(": ")
        for name in names.split():
            place, config = head.split()
            folder, file = place.split(".")
            module = f"transformers.models.{folder}.modeling_{file}"
            found[name] = ModelClass(name, module, config)
    return found


MODELS: Final[Mapping[str, ModelClass]] = _parse(_TABLE)

# What files call the configurations, by their classes without "Config".
_TYPES: Final = """
    Albert=albert Bart=bart Beit=beit Bert=bert BigBird=big_bird Blenderbot=blenderbot
    Blip=blip BlipText=blip_text_model BlipVision=blip_vision_model Bloom=bloom CLIP=clip
    CLIPText=clip_text_model CLIPVision=clip_vision_model Camembert=camembert CodeGen=codegen
    Cohere=cohere ConvNext=convnext Data2VecAudio=data2vec-audio Data2VecText=data2vec-text
    Data2VecVision=data2vec-vision Deberta=deberta DebertaV2=deberta-v2 DeiT=deit
    Dinov2=dinov2 DistilBert=distilbert Electra=electra Falcon=falcon GPT2=gpt2
    GPTBigCode=gpt_bigcode GPTJ=gptj GPTNeo=gpt_neo GPTNeoX=gpt_neox Gemma2=gemma2
    Gemma3Text=gemma3_text Gemma=gemma Glm=glm GptOss=gpt_oss Granite=granite Hubert=hubert
    LayoutLM=layoutlm Llama=llama LongT5=longt5 Longformer=longformer M2M100=m2m_100
    MBart=mbart MPNet=mpnet MT5=mt5 Marian=marian Mistral=mistral Mixtral=mixtral
    MobileNetV2=mobilenet_v2 ModernBert=modernbert OPT=opt Olmo2=olmo2 Olmo=olmo OwlViT=owlvit
    OwlViTText=owlvit_text_model OwlViTVision=owlvit_vision_model Pegasus=pegasus Phi3=phi3
    Phi=phi Qwen2=qwen2 Qwen2Moe=qwen2_moe Qwen3=qwen3 Qwen3Moe=qwen3_moe ResNet=resnet
    Roberta=roberta Sam=sam SamMaskDecoder=sam_mask_decoder
    SamPromptEncoder=sam_prompt_encoder SamVision=sam_vision_model Segformer=segformer
    Siglip=siglip SiglipText=siglip_text_model SiglipVision=siglip_vision_model
    SmolLM3=smollm3 StableLm=stablelm Starcoder2=starcoder2 Swin=swin T5=t5 ViT=vit
    ViTMAE=vit_mae Wav2Vec2=wav2vec2 WavLM=wavlm Whisper=whisper XLMRoberta=xlm-roberta
"""
MODEL_TYPES: Final[Mapping[str, str]] = {
    f"{stem}Config": kind for stem, kind in (item.split("=") for item in _TYPES.split())
}
