"""What tests of detectors share."""

import pytest


@pytest.fixture(scope="session")
def photos(shared_data):
    """Eight test photos, RGB, with the squares around their landmark boxes."""
    from rankpose_tf.preparation import aflw2000, sources, views
    from rankpose_tf.studies.detector_rule import decoded

    source = sources.open_source(shared_data / "aflw2000_dev.zip")
    identities = aflw2000.list_identities(source, source.stamps(), "pt3d_68").identities
    found = []
    for identity in identities:
        try:
            view = aflw2000.read_view(source, identity.views[0])
        except views.SkippedView:
            continue
        found.append((decoded(view.image), view.box))
        if len(found) == 8:
            break
    source.close()
    return found
