% Helpers for emitted MATLAB code: what MATLAB and Octave have no single function for. Copied into files by matgrad.

function varargout = arguments_(names, given)
  % Keyword arguments, pairs of a name and a value, in the order of names. Whole numbers are made double.
  if mod(numel(given), 2) ~= 0 || ~all(cellfun(@(n) ischar(n) || isstring(n), given(1:2:end)))
    error('matgrad:arguments', 'the arguments are pairs of a name and a value, of %s', strjoin(names, ', '));
  end
  keys = cellfun(@char, given(1:2:end), 'UniformOutput', false);
  unknown = setdiff(keys, names);
  if ~isempty(unknown)
    error('matgrad:arguments', '%s is no argument; the arguments are %s', unknown{1}, strjoin(names, ', '));
  end
  for k = 1:numel(names)
    at = find(strcmp(names{k}, keys), 1, 'last');
    if isempty(at)
      error('matgrad:arguments', 'the argument %s is missing; the arguments are %s', names{k}, strjoin(names, ', '));
    end
    varargout{k} = number_(names{k}, given{2 * at});
  end
end

function value = number_(name, value)
  % A whole or logical value as double.
  if isnumeric(value) && ~isreal(value)
    error('matgrad:arguments', '%s should be real, not complex', name);
  end
  if isinteger(value) || islogical(value)
    value = double(value);
  end
end

function expect_(name, value, dims, meaning)
  % An error for a value of another shape.
  if ~isequal(size(value), dims)
    shown = @(d) strjoin(arrayfun(@num2str, d, 'UniformOutput', false), ', ');
    error('matgrad:shape', '%s should have the shape %s = (%s), not (%s)', name, meaning, shown(dims), shown(size(value)));
  end
end

function D = frechet_(f, X, E)
  % The derivative of a matrix function at X in the direction E: the block above the diagonal of f([X, E; 0, X]).
  n = size(X, 1);
  Z = f([X, E; zeros(n), X]);
  D = Z(1:n, n + 1:end);
end

function Y = adj_(X)
  % The adjugate, by the singular value decomposition: it exists for singular matrices too.
  [U, S, V] = svd(X);
  s = diag(S);
  others = arrayfun(@(k) prod(s([1:k - 1, k + 1:end])), (1:numel(s))');
  Y = det(U) * det(V) * (V * diag(others) * U');
end

function v = signed_(v)
  % v or -v: the one whose largest entry by absolute value is positive.
  [~, at] = max(abs(v));
  if v(at) < 0
    v = -v;
  end
end

function v = eigvecmax_(X)
  % The unit eigenvector of the largest eigenvalue of (X + X')/2.
  [V, D] = eig((X + X') / 2);
  [~, at] = max(diag(D));
  v = signed_(V(:, at));
end

function v = eigvecmin_(X)
  % The unit eigenvector of the smallest eigenvalue of (X + X')/2.
  [V, D] = eig((X + X') / 2);
  [~, at] = min(diag(D));
  v = signed_(V(:, at));
end

function u = lsv_(X)
  % The leading left singular vector.
  [U, ~, ~] = svd(X, 'econ');
  u = signed_(U(:, 1));
end

function v = rsv_(X)
  % The leading right singular vector, with the sign that goes with lsv_.
  [U, ~, V] = svd(X, 'econ');
  [~, at] = max(abs(U(:, 1)));
  v = V(:, 1) * sign(U(at, 1));
end

function Y = polar_(X)
  % U V' of the singular value decomposition U S V', of its positive singular values.
  [U, S, V] = svd(X, 'econ');
  s = diag(S);
  Y = (U .* (s > 1000 * eps(s(1)))') * V';
end

function Y = indmax_(X)
  % 1 at the largest entry, 0 elsewhere; several largest share it equally.
  largest = X == max(X(:));
  Y = largest / sum(largest(:));
end

function Y = indmax_along_(X, axis)
  % 1 at the largest entry of each column (axis 1) or row (axis 2), 0 elsewhere; several largest share it equally.
  largest = X == max(X, [], axis);
  Y = largest ./ sum(largest, axis);
end

function y = lgamma_(x)
  % The logarithm of |gamma(x)|; gammaln takes no negative numbers, so those are reflected.
  y = gammaln(max(x, 1 - x));
  low = x < 0.5;
  y(low) = log(pi ./ abs(sin(pi * x(low)))) - y(low);
end

function y = psi_(k, x)
  % The derivative number k of digamma; psi takes no negative numbers, so x is raised by whole steps.
  y = zeros(size(x));
  low = x < 0 & isfinite(x);
  while any(low(:))
    y(low) = y(low) - (-1)^k * factorial(k) ./ x(low).^(k + 1);
    x(low) = x(low) + 1;
    low = x < 0 & isfinite(x);
  end
  y = y + psi(k, x);
end

function x = vech_(X)
  % The columns of the lower triangle, stacked.
  x = X(tril(true(size(X))));
end

function K = commutation_(m, n)
  % K with vec(X') = K vec(X) for X with m rows and n columns.
  K = eye(m * n);
  K = K(reshape(reshape(1:m * n, m, n)', [], 1), :);
end

function D = duplication_(n)
  % D with vec(S) = D vech(S) for symmetric S with n rows.
  place = zeros(n);
  place(tril(true(n))) = 1:n * (n + 1) / 2;
  place = place + tril(place, -1)';
  D = eye(n * (n + 1) / 2);
  D = D(place(:), :);
end

function L = elimination_(n)
  % L with vech(X) = L vec(X) for X with n rows and columns.
  L = eye(n * n);
  L = L(tril(true(n)), :);
end
