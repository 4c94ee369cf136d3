"""Features, files and checks for research on feeling in speech, face and words.

The public names, by task:

- run and convert: ``find_openface``, ``run_openface``, ``extract_wav``
- read and extract: ``read_audio``, ``extract_audio``, ``read_openface_csv``, ``read_frames``
- build: ``read_manifest``, ``resolve_build_config``, ``build_dataset``
- corpora: ``CORPORA``, ``build_corpus``, ``plan_corpus``, ``read_corpus``, ``diagnose``
- in and out: ``import_mmsa``, ``import_skesl_pkl``, ``import_univa``, ``import_csd``, ``import_csv``,
  ``import_arrays``, ``export_mmsa``, ``export_csd``, ``export_npz``
- the file: ``DatasetReader``, ``DatasetWriter``, ``validate``, ``describe``, ``write_contact_sheet``
- files to files: ``merge_datasets``, ``join_datasets``, ``split_dataset``, ``subset_dataset``

The names are listed in ``__init__.pyi`` and imported at first use, so that ``import mmfeat`` costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
