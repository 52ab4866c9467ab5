"""What suppliers call their columns: words in several languages, and the fields they mean.

A word is compared without regard to case, accents, signs and units. The first field whose word is
the whole header counts; else the one with the longest word in it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

__all__ = ["bare", "meant"]

#: Fields of our sheet and their words, English, German, French, Spanish, Italian, Dutch, Polish.
_WORDS = {
    "sku": "sku; item no; item number; item code; article number; article no; product code; "
    "part number; stock code; style code; variant sku; reference; ref; artikelnummer; artikelnr; "
    "artikel nr; art nr; artnr; bestellnummer; bestellnr; best nr; référence; code article; "
    "référence article; referencia; código; cód; riferimento; codice articolo; codice; "
    "artikelcode; bestelnummer; indeks; symbol; kod produktu; 货号; 商品编码; sku编码",
    "barcodes": "ean; ean13; ean code; gtin; upc; barcode; bar code; strichcode; isbn; "
    "code barres; code à barres; código de barras; codice a barre; kod kreskowy; 条码; 条形码",
    "title": "title; name; product name; product title; item name; article name; bezeichnung; "
    "artikelbezeichnung; produktname; artikelname; titel; kurztext; artikeltext; "
    "désignation; nom; nom du produit; libellé; nombre; título; nombre del producto; nome; titolo; "
    "denominazione; naam; productnaam; omschrijving; nazwa; 名称; 商品名称; 标题",
    "description_html": "description; long description; product description; body html; "
    "beschreibung; langtext; artikelbeschreibung; produktbeschreibung; description longue; "
    "descripción; descrizione; beschrijving; opis; 描述; 商品描述",
    "short_description_html": "short description; summary; kurzbeschreibung; description courte; "
    "descripción corta; descrizione breve; korte omschrijving",
    "vendor": "vendor; brand; manufacturer; make; marke; hersteller; lieferant; marque; "
    "fabricant; marca; fabricante; produttore; merk; fabrikant; marka; producent; 品牌",
    "product_type": "type; product type; category; product category; product group; warengruppe; "
    "artikelgruppe; kategorie; produktgruppe; catégorie; famille; categoría; categoria; famiglia; "
    "categorie; kategoria; 类别; 分类",
    "tags": "tags; keywords; labels; schlagworte; stichworte; mots clés; etiquetas; tag; "
    "parole chiave; trefwoorden; tagi; 标签",
    "price": "price; retail price; rrp; msrp; srp; selling price; list price; unit price; "
    "sales price; vk; vk preis; uvp; preis; verkaufspreis; endpreis; bruttopreis; ladenpreis; "
    "prix; prix de vente; prix public; ppc; pvp; precio; precio de venta; pvc; prezzo; "
    "prezzo al pubblico; prijs; verkoopprijs; adviesprijs; cena; 价格; 售价; 零售价",
    "cost": "cost; cost price; purchase price; wholesale price; wholesale; net price; "
    "dealer price; trade price; ek; ek preis; einkaufspreis; händlerpreis; hek; netto ek; "
    "ek netto; preis netto; "
    "nettopreis; prix d achat; prix de gros; prix ht; precio de coste; coste; precio neto; "
    "prezzo di acquisto; costo; prezzo netto; inkoopprijs; cena zakupu; cena netto; 进价; 成本",
    "compare_at_price": "compare at price; original price; old price; was price; streichpreis; "
    "alter preis; statt preis; prix barré; ancien prix; precio anterior; prezzo barrato; "
    "van prijs; 原价",
    "inventory": "stock; qty; quantity; inventory; available; availability; on hand; "
    "stock quantity; in stock; bestand; lagerbestand; menge; verfügbar; verfügbarkeit; anzahl; "
    "quantité; disponible; existencias; cantidad; giacenza; quantità; disponibilità; voorraad; "
    "aantal; stan; ilość; 库存; 数量",
    "weight": "weight; gross weight; net weight; gewicht; bruttogewicht; poids; peso; waga; 重量",
    "dimensions.length": "length; depth; länge; tiefe; longueur; profondeur; largo; longitud; "
    "lunghezza; lengte; długość; 长度",
    "dimensions.width": "width; breite; largeur; ancho; anchura; larghezza; breedte; 宽度",
    "dimensions.height": "height; höhe; hauteur; alto; altura; altezza; hoogte; 高度",
    "media": "image; images; image url; image link; picture; pictures; photo; main image; bild; "
    "bilder; bild url; produktbild; foto; image principale; imagen; imágenes; immagine; immagini; "
    "afbeelding; zdjęcie; zdjęcia; 图片; 主图",
    "option[Size]": "size; größe; groesse; taille; pointure; talla; taglia; misura; maat; "
    "rozmiar; 尺码; 尺寸",
    "option[Color]": "color; colour; farbe; couleur; coloris; color name; colore; kleur; kolor; "
    "颜色",
    "attribute[Material]": "material; fabric; composition; materiale; matière; composición; "
    "composizione; materiaal; materiał; zusammensetzung; 材质",
    "tax_class": "tax class; vat; vat rate; tax; mwst; ust; steuersatz; tva; iva; btw",
    "status": "status; active; aktiv; statut; estado; stato",
    "url": "url; link; product url; produkt url; deeplink; lien; enlace",
    "seo.title": "seo title; meta title; seo titel",
    "seo.description": "seo description; meta description; seo beschreibung",
    "handle": "handle; slug; url key",
}
#: What rows of one product share.
_PARENT = (
    "parent; parent sku; parent id; style; style number; style no; model; model number; group id; "
    "item group; item group id; product id; modell; modellnummer; modell nr; artikelgruppennr; "
    "hauptartikel; vater; vaterartikel; modèle; référence modèle; modelo; modello; 款号"
)
_UNIT = re.compile(r"[\(\[].*?[\)\]]|\b(?:eur|usd|gbp|chf|kg|g|cm|mm)\b|[€$£%]", re.IGNORECASE)


def bare(header: str) -> str:
    """Return a header without case, accents, signs, units and numbers, for comparison."""
    text = unicodedata.normalize("NFKD", _UNIT.sub(" ", header).casefold())
    text = "".join(char for char in text if not unicodedata.combining(char))
    return " ".join(re.sub(r"[\W_\d]+", " ", text).split())


def meant(header: str) -> tuple[str, bool]:
    """Return the field that a header seems to mean, and whether its words are just that.

    "" stands for none, and "parent" for what rows of one product share.
    """
    text = bare(header)
    exact = _table().get(text)
    if exact or not text:
        return exact or "", bool(exact)
    padded = f" {text} "
    found = [word for word in _table() if len(word) > 2 and f" {word} " in padded]
    return (_table()[max(found, key=len)], False) if found else ("", False)


@cache
def _table() -> dict[str, str]:
    """Return the fields by their words; a word of two fields is the first one's."""
    table: dict[str, str] = {}
    for field, words in {**_WORDS, "parent": _PARENT}.items():
        for word in words.split(";"):
            table.setdefault(bare(word), field)
    table.pop("", None)
    return table
