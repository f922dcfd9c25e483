"""The features of views on which the expected error is fitted and checked, drawn once."""

import itertools

import keras
import numpy as np
import tensorflow as tf
import tqdm

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import LIMIT_DEGREES
from rankpose_tf.models import folding
from rankpose_tf.training import error_views

_BATCH = 64
# Views as they are count so often: they are what is measured.
_CLEAN_WEIGHT = 2.0


class Drawn:
    """Features (N, D), errors (N, 3) radians and weights (N,) of views."""

    def __init__(self, features, errors, weights):
        self.features = np.concatenate(features)
        self.errors = np.concatenate(errors)
        self.weights = np.concatenate(weights)


class Look:
    """What the frozen model makes of views."""

    def __init__(self, network, description, progress):
        self.size, self.scale = description["input_size"], description["crop_scale"]
        self._hidden = None if progress is None else not progress
        folded = folding.fold(network)
        inner = keras.Model(folded.input, [folded.get_layer("features").output, folded.output])
        shape = tf.TensorSpec((None, self.size, self.size, 3), tf.float32)
        self._run = tf.function(lambda views: inner(views, training=False), [shape])

    def features_and_poses(self, views):
        """(N, D) and (N, 3) radians of N views, (S, S, 3); as whole grey levels, as all are."""
        views = np.rint(np.clip(np.stack(views), 0, 255)).astype(np.float32)
        return tuple(part.numpy() for part in self._run(views))

    def training_views(self, identities, count, generator):
        """`Drawn` of all kinds of views of the first `count` identities, lists of `Face`."""
        parts = [], [], []
        with tqdm.tqdm(total=count, unit="identity", disable=self._hidden) as bar:
            for number, views in enumerate(itertools.islice(identities, count)):
                rows = [row for face in views for row in self._of_face(face, number, generator)]
                self._add(parts, rows)
                bar.update()
        if not parts[0]:
            raise RankPoseError("data: it holds no identity that the model trained on")
        return Drawn(*parts)

    def _add(self, parts, rows):
        """Adds features, errors and weights of (view, pose or None, weight)."""
        views, poses, weights = zip(*rows, strict=True)
        features, answers = self.features_and_poses(views)
        errors = np.full(answers.shape, np.radians(error_views.NO_FACE))
        for row, (pose, answer) in enumerate(zip(poses, answers, strict=True)):
            if pose is not None:
                errors[row] = np.abs(np.radians(pose) - answer)
        for part, values in zip(parts, (features, errors, weights), strict=True):
            part.append(np.asarray(values, np.float32))

    def _of_face(self, face, number, generator):
        """Rows of one face: as it is, poor twice, upside down, and at every second no face."""
        rows = [(*error_views.cut(face, self.scale, self.size), _CLEAN_WEIGHT)]
        for _ in range(2):
            view, pose = error_views.poor(face, self.size, self.scale, generator)
            if np.all(np.abs(pose) <= LIMIT_DEGREES):
                rows.append((view, pose, 1.0))
        kinds = [error_views.upside]
        if number % 2:
            faceless = list(error_views.FACELESS.values())
            kinds.append(faceless[generator.integers(len(faceless))])
        return rows + [(kind(face, self.size, self.scale, generator), None, 1.0) for kind in kinds]

    def clean(self, faces):
        """`Drawn` of faces as they are."""
        parts = [], [], []
        for start in range(0, len(faces), _BATCH):
            cut = [error_views.cut(f, self.scale, self.size) for f in faces[start : start + _BATCH]]
            self._add(parts, [(view, pose, 1.0) for view, pose in cut])
        return Drawn(*parts)

    def of_kind(self, kind, faces, generator):
        """Features (N, D) of views of one kind, `error_views.FACELESS` or alike, made of faces."""
        views = (kind(face, self.size, self.scale, generator) for face in faces)
        features = []
        while batch := list(itertools.islice(views, _BATCH)):
            features.append(self.features_and_poses(batch)[0])
        return np.concatenate(features)
