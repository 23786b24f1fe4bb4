function f = factorization_hessian()
  % y = norm(T - U V')^2 and its derivative by U.
  %
  % derivative: 2 kron(V' V, eye(m))
  %
  % T: matrix, shape (m, n)
  % U: matrix, shape (m, p)
  % V: matrix, shape (n, p)
  % v (of hvp): a direction, of the shape of U
  %
  % f = factorization_hessian(); [y, D] = f.value_and_derivative('T', T, 'U', U, 'V', V)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
  f.hvp = @hvp;
  f.compressed = @compressed;
end

function y = value(varargin)
  % The value.
  [T, U, V] = checked_(varargin);
  M1 = U * V' - T;
  y = M1(:)' * M1(:);
end

function D = derivative(varargin)
  % The derivative of order 2 by U.
  [~, ~, V, m, ~, p] = checked_(varargin);
  M1 = reshape(2 * (V' * V), 1, p, p);
  M2 = reshape(2 * (V' * V), 1, p, 1, p) .* reshape(eye(m), m, 1, m, 1);
  D = M2;
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [T, U, V, m, ~, p] = checked_(varargin);
  M1 = U * V' - T;
  M2 = reshape(2 * (V' * V), 1, p, p);
  M3 = reshape(2 * (V' * V), 1, p, 1, p) .* reshape(eye(m), m, 1, m, 1);
  y = M1(:)' * M1(:);
  D = M3;
end

function D = hvp(v, varargin)
  % The second derivative times a direction v of U's shape.
  [~, U, V] = checked_(varargin);
  expect_('v', v, size(U), 'of U');
  D = 2 * (v * (V' * V));
end

function C = compressed(varargin)
  % The factors of the derivative, which has the entries
  %   (i == k)*C(j, l)
  [~, ~, V] = checked_(varargin);
  C = 2 * (V' * V);
end

function [T, U, V, m, n, p] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [T, U, V] = arguments_({'T', 'U', 'V'}, given);
  m = size(T, 1);
  n = size(T, 2);
  p = size(U, 2);
  expect_('T', T, [m, n], '(m, n)');
  expect_('U', U, [m, p], '(m, p)');
  expect_('V', V, [n, p], '(n, p)');
end

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
